"""Reading what the stores know of a model, as `asking` takes it."""

from datetime import datetime

from trimtab.ports.stores import Stores

from .asking import Known
from .incidents import FAR_BACK

_REQUESTS = 500
"""Those that were declined included; a budget looks back over months."""


def read_known(stores: Stores, model: str, *, n: int, now: datetime) -> Known:
    """Read it in the caller's transaction; `n` is that of the k of n windows.

    Verdicts are long, and matter where there is an incident; without one the newest is enough, to
    see whether the data is broken.
    """
    moves, incidents = stores.promotions.history(model), stores.incidents.active(model)
    champion = moves[0] if moves else None
    far_back = FAR_BACK * n if incidents else 1
    return Known(
        model=model,
        now=now,
        champion=champion,
        requests=stores.requests.recent(model, limit=_REQUESTS),
        incidents=incidents,
        verdicts=(
            stores.verdicts.recent(model, champion.version, limit=far_back) if champion else ()
        ),
        count=stores.row_counts.get(model),
        moves=moves,
    )
