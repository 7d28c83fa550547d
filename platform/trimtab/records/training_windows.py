"""Training windows as people write them: `all`, `recent`, `90d`, `weighted`, `weighted 30d`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer

from .durations import format_duration, parse_duration

WindowKind = Literal["all", "recent", "weighted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWindow:
    """Which of the known rows a version learns from, and how much each counts."""

    kind: WindowKind = "all"
    length: timedelta | None = None
    """How far back `recent` looks, or in which time a row of `weighted` comes to count half as
    much; None takes a share of the rows that there are."""

    @classmethod
    def parse(cls, text: object) -> "TrainingWindow":
        """Read a window as it stands in `trimtab.toml`.

        >>> str(TrainingWindow.parse("weighted 30d"))
        'weighted 30d'

        Raises ValueError for anything else.
        """
        if isinstance(text, TrainingWindow):
            return text
        match str(text).split():
            case ["all"]:
                return cls()
            case ["recent"]:
                return cls(kind="recent")
            case ["weighted"]:
                return cls(kind="weighted")
            case ["weighted", length]:
                return cls(kind="weighted", length=parse_duration(length))
            case [length] if length[:1].isdigit():
                return cls(kind="recent", length=parse_duration(length))
        raise ValueError(
            f"{text!r} is no training window; write all, recent, 90d, weighted or weighted 30d"
        )

    def __str__(self) -> str:
        if self.length is None:
            return self.kind
        length = format_duration(self.length)
        return f"weighted {length}" if self.kind == "weighted" else length


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


WindowSetting = Annotated[
    TrainingWindow, BeforeValidator(TrainingWindow.parse), PlainSerializer(str, return_type=str)
]
WindowsSetting = Annotated[tuple[WindowSetting, ...], BeforeValidator(_listed)]
"""One window, or a list of those that compete."""
