"""What cannot be traced, and why."""

from trimtab.errors import ExitCode, TrimtabError


class UnknownPredictionError(TrimtabError):
    """No record has a prediction; the message says what may have become of it."""

    exit_code = ExitCode.REFUSED

    def __init__(self, prediction_id: str, why: str) -> None:
        super().__init__(f"No record has the prediction {prediction_id}: {why}")
        self.prediction_id = prediction_id


class UnknownSnapshotError(TrimtabError):
    """No version in the registry was made of such rows."""

    exit_code = ExitCode.REFUSED

    def __init__(self, model: str, digest: str) -> None:
        super().__init__(
            f"No version of {model!r} in MLflow was trained on a snapshot {digest!r}. The digest "
            "stands in each version's description, and in what trimtab trace says of a prediction."
        )
        self.model = model
        self.digest = digest
