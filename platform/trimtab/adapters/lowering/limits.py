"""Where the fast path ends: pipelines it cannot take, and rows it leaves to the pipeline."""

from trimtab.errors import TrimtabError


class CannotLowerError(TrimtabError):
    """A pipeline holds something that the fast path does not know."""

    def __init__(self, why: str) -> None:
        super().__init__(f"There is no fast path for this pipeline: {why}.")
        self.why = why


class OddRowsError(Exception):
    """Rows hold values that the pipeline itself must judge; never seen outside of a predictor."""
