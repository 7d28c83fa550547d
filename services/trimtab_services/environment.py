"""The environment of an endpoint's process: read once here, and nowhere else."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServingEnvironment(BaseSettings):
    """Variables named `TRIMTAB_...` that a served bento listens to."""

    model_config = SettingsConfigDict(env_prefix="TRIMTAB_", frozen=True)

    api_key: SecretStr | None = None
    """What callers must send as `Authorization: Bearer ...`."""
    clock: Path | None = None
    """A file that holds the time of a replay; without it the system's clock counts."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """Where to compute; by default what the bento was built for."""
    max_rows: int | None = None
    """Most rows in one request; by default what the bento was built for."""
    spool: Path | None = None
    """Where requests are captured; without it none is, and the log says so once."""
