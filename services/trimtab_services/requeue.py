"""A second try for quarantined requests: what fits by now goes into the log, once."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trimtab.errors import TrimtabError
from trimtab.ports import InferenceLog
from trimtab.records.contracts import Contract

from .captured import CapturedRequest
from .log_tables import UnfitRequestError, log_table
from .quarantine import Quarantine, request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """What a look into quarantine found."""

    logged: int = 0
    """Requests that went into the log."""
    kept: Counter[str] = field(default_factory=Counter)
    """How many stay, by the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Tries the requests of one model's quarantine against the contracts there are now."""

    model: str
    quarantine: Quarantine
    log: InferenceLog
    contract_of: Callable[[str], Contract]

    def look(self, *, retry: bool) -> Requeued:
        """Say why requests are in quarantine; with `retry`, log those that fit."""
        logged, kept = 0, Counter[str]()
        for path in self.quarantine.files():
            fitting: defaultdict[str, list[bytes]] = defaultdict(list)
            unfit: list[bytes] = []
            for line in path.read_bytes().splitlines(keepends=True):
                version, why = self._fit(line)
                if why:
                    unfit.append(line)
                    kept[why] += 1
                else:
                    fitting[version].append(line)
            if retry and fitting:
                for version, lines in fitting.items():
                    self._append(path, version, lines)
                self.quarantine.keep_only(path, unfit)
            count = sum(map(len, fitting.values()))
            logged += count if retry else 0
            if count and not retry:
                kept["they fit by now: --retry logs them"] += count
        return Requeued(logged=logged, kept=kept)

    def _fit(self, line: bytes) -> tuple[str, str]:
        """Give the version that answered, and why the request cannot be logged, if so."""
        try:
            request = request_of(line)
        except ValueError:
            return "", "they are no captured requests"
        try:
            log_table(self.contract_of(request.version), [request])
        except UnfitRequestError as error:
            return request.version, f"they do not fit version {request.version}: {error}"
        except (TrimtabError, LookupError, OSError, ValueError):
            return request.version, f"version {request.version} has no bento here"
        return request.version, ""

    def _append(self, path: Path, version: str, lines: list[bytes]) -> None:
        """Add requests under a name that is theirs alone: done twice, they are there once."""
        digest = hashlib.sha256(b"".join(lines)).hexdigest()[:16]
        requests: list[CapturedRequest] = [request_of(line) for line in lines]
        table = log_table(self.contract_of(version), requests)
        self.log.append(self.model, version, f"requeued-{path.stem}-{digest}", table)
