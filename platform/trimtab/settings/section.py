"""What every table of `trimtab.toml` is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of `trimtab.toml`: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
