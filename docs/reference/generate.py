"""Write `settings.md` from the comments under the settings: `python docs/reference/generate.py`."""

import ast
import inspect
import sys
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trimtab.records.durations import format_duration
from trimtab.settings import Environment, Project

PAGE = Path(__file__).with_name("settings.md")
INTRODUCTION = """\
# Settings

Written by `docs/reference/generate.py` from the comments under the settings; change them there.

Lengths of time are written `90s`, `15m`, `12h`, `7d` or `2w`; rates are written `1 per quarter`
(per hour, day, week, month, quarter or year).

## `trimtab.toml`
"""
ENVIRONMENT = """\
## Environment

Read once, by the process that starts; what must not stand in a file belongs here.
"""


def page() -> str:
    """Give the whole page."""
    tables = [_table(f"`[{path}]`", section) for path, section in sections(Project)]
    environment = _rows(Environment, prefix="TRIMTAB_", upper=True)
    return "\n".join([INTRODUCTION, *tables, ENVIRONMENT, *_HEAD, *environment, ""])


def sections(parent: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Give every table of `trimtab.toml` with its path, outermost first."""
    for name, field in parent.model_fields.items():
        section = section_of(field.annotation)
        if section is None:
            continue
        is_named = get_origin(field.annotation) is dict
        here = ".".join(part for part in (path, name, "NAME" if is_named else "") if part)
        yield here, section
        yield from sections(section, here)


_HEAD = ("| setting | default | what it does |", "| --- | --- | --- |")


def _table(title: str, section: type[BaseModel]) -> str:
    introduction = inspect.getdoc(section) or ""
    return "\n".join([f"### {title}", "", introduction, "", *_HEAD, *_rows(section), ""])


def _rows(section: type[BaseModel], prefix: str = "", *, upper: bool = False) -> Iterator[str]:
    comments = _comments(section)
    for name, field in section.model_fields.items():
        if section_of(field.annotation) is not None:
            continue
        shown = f"{prefix}{name.upper() if upper else name}"
        meaning = " ".join(filter(None, [comments.get(name, ""), _choices(field)]))
        yield f"| `{shown}` | {_default(field)} | {meaning} |".replace("  ", " ")


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Find the settings class that a field holds, itself or under a name of the user's."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _comments(section: type[BaseModel]) -> dict[str, str]:
    """Read the string that stands under each field."""
    (body,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def _choices(field: FieldInfo) -> str:
    """List the words that a setting may be."""
    words = [str(word) for word in _words(field.annotation)]
    many = "Any" if get_origin(field.annotation) is tuple else "One"
    return f"{many} of {', '.join(f'`{word}`' for word in words)}." if len(words) > 1 else ""


def _words(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [member.value for member in annotation]
    return [word for inner in get_args(annotation) for word in _words(inner)]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    match field.default:
        case None:
            return ""
        case timedelta() as length:
            return f'`"{format_duration(length)}"`'
        case bool() as flag:
            return f"`{str(flag).lower()}`"
        case tuple() as values:
            return f"`{list(map(str, values))}`".replace("'", '"')
        case int() | float() as number:
            return f"`{number}`"
        case other:
            return f'`"{other}"`'


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
