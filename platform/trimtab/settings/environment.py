"""The environment: read once here, and nowhere else."""

from pathlib import Path

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

TELEMETRY_OFF = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # MLflow honours `true` only
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Set in every process that imports a framework, before it does."""
_SHORTEST_SECRET = 16


class Environment(BaseSettings):
    """Variables named `TRIMTAB_...`: where the stores are, and what must not stand in a file."""

    model_config = SettingsConfigDict(env_prefix="TRIMTAB_", frozen=True, hide_input_in_errors=True)

    home: Path | None = None
    """Where the platform keeps its data; by default `.trimtab` beside `trimtab.toml`."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL; by default SQLite in the home."""
    tracking_uri: str | None = None
    """An MLflow server that is already there; by default `trimtab up` starts one."""
    inference_log: Path | None = None
    """Folder of the inference log; by default in the home."""
    api_key: SecretStr | None = None
    """A key for every endpoint, beside those of `trimtab key`: it opens predictions and metrics."""
    capture_key: SecretStr | None = None
    """The secret behind the hashes of captured values; by default one is made and kept in the
    home. It must stay the same, and at least 16 characters long."""
    webhook_key: SecretStr | None = None
    """Signs the webhooks of `alerts.urls`: `whsec_` and the base64 of 24 to 64 random bytes. While
    it is changed, the new one and the old one, with a space between them."""
    clock: Path | None = None
    """A file that holds the time of a replay; without it the system's clock counts."""

    @field_validator("api_key")
    @classmethod
    def _refuse_blank(cls, key: SecretStr | None) -> SecretStr | None:
        """A blank key would look like protection and be none."""
        if key is not None and not key.get_secret_value().strip():
            raise ValueError("is blank; set it to a key, or do not set it at all")
        return key

    @field_validator("capture_key")
    @classmethod
    def _refuse_short(cls, key: SecretStr | None) -> SecretStr | None:
        """A short secret is found by trying."""
        if key is not None and len(key.get_secret_value().strip()) < _SHORTEST_SECRET:
            raise ValueError(f"is shorter than {_SHORTEST_SECRET} characters")
        return key
