"""What only the component that serves can tell of a prediction."""

from typing import Protocol

from trimtab.records.traces import Captured, TracedPackage


class ServingRecords(Protocol):
    """What lies on this machine beside the stores: the capture spool and the built packages."""

    def captured(self, model: str, prediction_id: str) -> Captured | None:
        """Find a prediction that was captured and is not in the inference log."""
        ...

    def package(self, model: str, version: str) -> TracedPackage | None:
        """Describe the bento of a version; None where it is not here."""
        ...
