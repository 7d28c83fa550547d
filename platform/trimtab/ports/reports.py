"""Reports: what people can read beside a version."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from trimtab.records.versions import ModelVersion


class Reports(Protocol):
    """The pages and figures that stand beside a version in the registry's user interface."""

    def publish(self, version: ModelVersion, name: str, file: Path) -> str:
        """Add a file under a name (forward slashes make folders); gives its artifact path.

        Publishing under the same name again replaces the file.
        """
        ...

    def link(self, version: ModelVersion, path: str) -> str:
        """Tell where people open a file that was published."""
        ...

    def image(self, version: ModelVersion, path: str) -> str:
        """Tell where a page in the user interface finds a picture that was published."""
        ...

    def annotate(
        self,
        version: ModelVersion,
        *,
        text: str = "",
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add Markdown to the version's description (once), tags to it, metrics to its run."""
        ...

    def describe(self, version: ModelVersion, block: str, text: str) -> None:
        """Put Markdown into the description in the place of the block of that name.

        What others wrote there stays as it is.
        """
        ...

    def plot(
        self, version: ModelVersion, figures: Mapping[str, float], *, at: datetime, step: int
    ) -> None:
        """Add a point to each of the version's curves; the same point again changes nothing.

        The curves are of the version's time in service, apart from the metrics of its training.
        """
        ...
