"""The platform's home: where each thing lies on this machine."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside the home; none is made by asking for it."""

    root: Path

    @property
    def database(self) -> Path:
        """The platform's SQLite database, where no other is set."""
        return self.root / "trimtab.db"

    @property
    def mlflow_database(self) -> Path:
        """The MLflow server's SQLite database."""
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """The MLflow server's artifacts."""
        return self.root / "artifacts"

    @property
    def inference_log(self) -> Path:
        """The inference log, where no other is set."""
        return self.root / "inference-log"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Lock and process table of `trimtab up`."""
        return self.root / "run"

    def spool(self, model: str) -> Path:
        """Captured requests that are not yet in the inference log."""
        return self.root / "spool" / model

    def labels(self, model: str) -> Path:
        """Labels that callers told an endpoint and that are not yet in the database."""
        return self.spool(model) / "labels"

    @property
    def capture_key(self) -> Path:
        """The secret behind the hashes of captured values, where no other is set."""
        return self.root / "capture.key"

    def erasures(self, model: str) -> Path:
        """The asks to erase a subject that are not done yet."""
        return self.root / "erasures" / model

    def version(self, model: str, version: str) -> Path:
        """A verified local copy of a version's files."""
        return self.root / "versions" / model / version

    def bento(self, model: str, version: str) -> Path:
        """The built bento of a version."""
        return self.root / "bentos" / model / version

    def serving(self, model: str) -> Path:
        """The file that remembers which bento an endpoint served last."""
        return self.root / "serving" / f"{model}.json"

    def keys(self, model: str) -> Path:
        """The file that tells an endpoint's processes whom to let in."""
        return self.root / "serving" / f"{model}.keys.json"
