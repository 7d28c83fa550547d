"""The environment of an endpoint's process: read once here, and nowhere else."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from trimtab.records.devices import WantedDevice


class ServingEnvironment(BaseSettings):
    """Variables named `TRIMTAB_...` that a served bento listens to."""

    model_config = SettingsConfigDict(
        env_prefix="TRIMTAB_", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    api_key: SecretStr | None = None
    """What callers must send as `Authorization: Bearer ...`."""
    capture_drop: tuple[str, ...] | None = None
    """Inputs that are not captured, as a JSON list; by default what the bento was built for."""
    capture_hash: tuple[str, ...] | None = None
    """Inputs of which a keyed hash is captured; the same."""
    capture_hash_keys: bool | None = None
    """Whether the keys of requests are hashed; the same."""
    capture_key: SecretStr | None = None
    """The secret of these hashes; without it nothing that is to be hashed is served."""
    api_keys_file: Path | None = None
    """Hashes of the keys that callers may send, as `trimtab key export` writes them."""
    clock: Path | None = None
    """A file that holds the time of a replay; without it the system's clock counts."""
    device: WantedDevice | None = None
    """Where to compute; by default what the bento was built for."""
    max_body: int | None = None
    """Most bytes in one request; by default what the bento was built for."""
    max_rows: int | None = None
    """Most rows in one request; by default what the bento was built for."""
    spool: Path | None = None
    """Where requests are captured; without it none is, and the log says so once."""
    bentoml_host: str | None = Field(default=None, validation_alias="BENTOML_HOST")
    """Where `bentoml serve` listens, unless its command line says otherwise."""
    bentoml_port: int = Field(default=3000, ge=1, le=65535, validation_alias="BENTOML_PORT")

    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
    )
    """Where spans go; without it there are none. OpenTelemetry reads its other variables itself."""
    traces_exporter: str = Field(default="otlp", validation_alias="OTEL_TRACES_EXPORTER")
    """`none` keeps the spans back."""

    @property
    def exports_traces(self) -> bool:
        """Tell whether spans are wanted."""
        return bool(self.otlp_endpoint) and self.traces_exporter != "none"

    @field_validator("api_key")
    @classmethod
    def _refuse_blank(cls, key: SecretStr | None) -> SecretStr | None:
        """A blank key would look like protection and be none."""
        if key is not None and not key.get_secret_value().strip():
            raise ValueError("TRIMTAB_API_KEY is blank; set it to a key, or do not set it at all")
        return key
