"""Redaction of a captured request, before its first byte is written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trimtab.errors import SettingsError
from trimtab.policy.redaction import Redaction, secret_of
from trimtab.records.contracts import Contract

from .bundle import Bundle
from .captured import CapturedRequest, CapturedRow
from .environment import ServingEnvironment


def redaction_of(environment: ServingEnvironment, bundle: Bundle) -> Redaction:
    """Read what is redacted: what the process was told, else what the bento was built with.

    Raises SettingsError when something is to be hashed and there is no secret.
    """
    dropped, hashed = environment.capture_drop, environment.capture_hash
    hashes_keys, key = environment.capture_hash_keys, environment.capture_key
    redaction = Redaction(
        dropped=frozenset(bundle.capture_drop if dropped is None else dropped),
        hashed=frozenset(bundle.capture_hash if hashed is None else hashed),
        hashes_keys=bundle.capture_hash_keys if hashes_keys is None else hashes_keys,
        secret=secret_of(key.get_secret_value()) if key else b"",
    )
    if (redaction.hashed or redaction.hashes_keys) and not redaction.secret:
        raise SettingsError(
            "captured values are to be hashed, and TRIMTAB_CAPTURE_KEY is not set; "
            "set it to the secret of the project's other endpoints (capture.key in its home)"
        )
    return redaction


def redactor_for(
    environment: ServingEnvironment, bundle: Bundle, contract: Contract
) -> "Redactor | None":
    """Give what redacts; None where nothing is to be. Raises SettingsError."""
    redaction = redaction_of(environment, bundle)
    redaction.require_fits(contract.schema)
    return None if redaction.is_nothing() else Redactor(redaction, contract.schema.names)


class Redactor:
    """Applies a redaction to the requests of one version's columns."""

    def __init__(self, redaction: Redaction, columns: Sequence[str]) -> None:
        self._redaction = redaction
        self._columns = redaction.columns(columns)

    def apply(self, request: CapturedRequest) -> CapturedRequest:
        """Give a request without what must not be kept."""
        return replace(request, rows=[self._row(row) for row in request.rows])

    def _row(self, row: CapturedRow) -> CapturedRow:
        key = None if row.key is None else self._redaction.key(row.key)
        return replace(row, key=key, inputs=self._inputs(row.inputs))

    def _inputs(self, inputs: Mapping[str, object]) -> Mapping[str, object]:
        return {
            name: change(inputs[name]) if change else inputs[name]
            for name, change in self._columns.items()
            if name in inputs
        }
