"""Redaction: what of a request is left out of the log, or kept only as a keyed hash."""

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.errors import SettingsError
from trimtab.records.ids import is_prediction_id
from trimtab.records.schema import ColumnType, Schema


def pseudonym(secret: bytes, text: str) -> str:
    """Give a text's keyed hash: 32 hexadecimal digits, the same wherever the text stands.

    Keyed BLAKE2b (RFC 7693), 128 bits. Who has the log and not the secret can tell that two rows
    are of one person, and cannot find out of whom by trying names.
    """
    return hashlib.blake2b(_bytes(text), key=secret, digest_size=16).hexdigest()


def secret_of(text: str) -> bytes:
    """Make 32 bytes of a secret that a person chose."""
    return hashlib.sha256(_bytes(text)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What is done to captured requests of one model before they are written."""

    dropped: frozenset[str] = frozenset()
    """Columns that are not kept."""
    hashed: frozenset[str] = frozenset()
    """Columns of text whose keyed hash is kept."""
    hashes_keys: bool = False
    secret: bytes = b""

    def is_nothing(self) -> bool:
        """Tell whether requests are captured as they are."""
        return not (self.dropped or self.hashed or self.hashes_keys)

    def columns(self, names: Sequence[str]) -> Mapping[str, Callable[[object], object] | None]:
        """Name the columns that are kept, with what is done to their values, if anything."""
        return {
            name: self._hash if name in self.hashed else None
            for name in names
            if name not in self.dropped
        }

    def key(self, key: str) -> str:
        """Give a key as the log has it; a prediction's own id names nobody and stays."""
        if not self.hashes_keys or is_prediction_id(key):
            return key
        return pseudonym(self.secret, key)

    def _hash(self, value: object) -> object:
        return None if value is None else pseudonym(self.secret, str(value))

    def require_fits(self, schema: Schema) -> None:
        """Raise SettingsError where a column would be captured although it was to be redacted.

        A name that is no column is let pass, as versions may differ in their columns; one that
        was meant for another column is not.
        """
        types = {column.name: column.type for column in schema.columns}
        for name in sorted(self.hashed & types.keys()):
            if types[name] is not ColumnType.STRING:
                raise SettingsError(
                    f"capture.hash: {name!r} is {types[name]}; only text can be kept as its hash, "
                    "so name it in capture.drop"
                )
        listed = self.dropped | self.hashed
        for name in sorted(listed - types.keys()):
            if close := difflib.get_close_matches(name, types.keys() - listed, n=1, cutoff=0.75):
                raise SettingsError(
                    f"capture: {name!r} is no input of this version; did you mean {close[0]!r}? "
                    "Nothing is served that would be captured against your wish"
                )


def withheld(dropped: Iterable[str], hashed: Iterable[str]) -> Mapping[str, str]:
    """Say of each column that cannot be judged why the log does not show it."""
    return {
        **dict.fromkeys(dropped, "it is not captured: capture.drop names it"),
        **dict.fromkeys(hashed, "only its hash is captured: capture.hash names it"),
    }
