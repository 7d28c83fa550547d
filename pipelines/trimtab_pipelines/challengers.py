"""MLflow's alias `challenger` is let go of when the request that it belonged to is over."""

from dataclasses import dataclass, field

from trimtab.ports import Database, ModelRegistry
from trimtab.records.requests import RequestState
from trimtab.records.versions import Alias

_JUDGED = (RequestState.PROMOTED, RequestState.REJECTED)


@dataclass(slots=True)
class ChallengerKeeper:
    """Takes the alias off a version whose contest is over, if a process died before it could."""

    registry: ModelRegistry
    database: Database
    _seen: dict[str, str] = field(default_factory=dict)
    """The request of each model after which it was looked."""

    def keep(self, model: str) -> None:
        """Look once after each request. Raises RegistryUnreachableError.

        An alias that points at another version is a trial's, or somebody's own.
        """
        with self.database.transaction() as stores:
            newest = next(iter(stores.requests.recent(model, limit=1)), None)
            trial = stores.trials.running(model)
        if newest is None or newest.state not in _JUDGED or self._seen.get(model) == newest.id:
            return
        is_tried = trial is not None and trial.challenger == newest.version
        if not is_tried and self.registry.aliased(model, Alias.CHALLENGER) == newest.version:
            self.registry.point(model, Alias.CHALLENGER, None)
        self._seen[model] = newest.id
