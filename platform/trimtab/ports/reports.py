"""Reports: what people can read beside a version."""

from collections.abc import Mapping
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
