"""Writing TOML: what `tomllib` has read, and was changed since."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def to_toml(document: Mapping[str, Any]) -> str:
    """Write a document of tables, lists, text, numbers and truth values.

    >>> print(to_toml({"models": {"late": {"on": ["drift"], "k": 2}}}), end="")
    models = {late = {on = ["drift"], k = 2}}
    """
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in document.items())


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Mapping():
            return f"{{{', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items())}}}"
        case str():
            return _text(value)
        case Sequence():
            return f"[{', '.join(map(_value, value))}]"
        case int() | float():
            return repr(value)
    return str(value.isoformat())  # a date, a time or both, which TOML has as well


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _text(name)


def _text(text: str) -> str:
    """Quote as JSON does, which is what TOML reads, but for the one character it forbids."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
