"""The attendants of some models; one that cannot be attended does not keep the others."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from trimtab.ports import Clock, Database, InferenceLog
from trimtab.settings import Settings

from .attendant import Attendant
from .backoff import Backoff
from .listening import PATIENCE_SECONDS
from .nursery import Nursery

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Crew:
    """Gathers attendants, and ends with them."""

    settings: Settings
    database: Database
    log: InferenceLog
    clock: Clock
    nursery: Nursery
    attendants: list[Attendant] = field(default_factory=list)
    missing: dict[str, Backoff] = field(default_factory=dict)
    """The models without an attendant, which are tried again."""

    def gather(self, models: Sequence[str]) -> None:
        """Begin with every model that can be attended. Raises the first error when none can."""
        errors = [error for model in models if (error := self._try(model, PATIENCE_SECONDS))]
        if errors and not self.attendants:
            raise errors[0]

    def complete(self) -> None:
        """Try again where it is time."""
        for model in [model for model, trouble in self.missing.items() if trouble.is_due]:
            self._try(model, 0.0)

    def filenos(self) -> Sequence[int]:
        """Give what becomes readable when an endpoint's process has something to say, or ends."""
        return [fd for attendant in list(self.attendants) for fd in attendant.keeper.filenos()]

    def end(self) -> None:
        """Ask all endpoints to finish what is under way."""
        for attendant in self.attendants:
            try:
                attendant.keeper.end()
            except Exception:
                logger.exception("the endpoint of %s is ended by force", attendant.keeper.model)

    def finish(self, deadline: float, is_alone: bool) -> None:
        """Wait for the end of all, and see `Attendant.finish`."""
        for attendant in self.attendants:
            try:
                attendant.finish(deadline, is_alone)
            except Exception:
                logger.exception("what was captured last waits for the next start")

    def _try(self, model: str, patience: float) -> Exception | None:
        parts = (self.settings, model, self.database, self.log, self.clock, self.nursery)
        try:
            self.attendants.append(Attendant(*parts, patience))
        except Exception as error:
            if model not in self.missing:
                logger.exception("%s cannot be attended; it is tried again", model)
            self.missing.setdefault(model, Backoff()).failed()
            self._tell(model, f"it is not attended: {error}")
            return error
        self.missing.pop(model, None)
        return None

    def _tell(self, model: str, note: str) -> None:
        """Let the status of a model say why nothing is known of it."""
        with suppress(Exception), self.database.transaction() as stores:
            if known := stores.endpoints.get(model):
                stores.endpoints.put(replace(known, version=None, device=None, note=note))
