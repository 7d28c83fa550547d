"""Redaction of a captured request, before its first byte is written."""

from collections.abc import Sequence

from msgspec.structs import replace

from trimtab.errors import SettingsError
from trimtab.policy.redaction import Redaction, secret_of
from trimtab.records.contracts import Contract

from .bundle import Bundle
from .captured import CapturedRequest
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
        changes = redaction.columns(columns)
        self._names = tuple(changes)
        self._kept = [(columns.index(name), change) for name, change in changes.items()]

    def apply(self, request: CapturedRequest) -> CapturedRequest:
        """Give a request without what must not be kept."""
        if not request.inputs:
            return request
        keys = request.keys and [key and self._redaction.key(key) for key in request.keys]
        inputs = [self._row(row) for row in request.inputs]
        return replace(request, columns=self._names, inputs=inputs, keys=keys)

    def _row(self, row: Sequence[object]) -> tuple[object, ...]:
        return tuple(change(row[at]) if change else row[at] for at, change in self._kept)
