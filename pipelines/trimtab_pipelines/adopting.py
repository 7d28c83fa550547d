"""A version whose alias somebody set in MLflow: checked like any other, and adopted or not."""

import logging

from trimtab.errors import RegistryUnreachableError, StaleEpochError, TrimtabError
from trimtab.records.promotions import Move, Promotion

from .bench import Bench
from .by_hand import AlreadyChampionError, promote_by_hand
from .hand_moves import HAND, put_back

log = logging.getLogger(__name__)


def adopt(bench: Bench, model: str, version: str) -> Promotion | None:
    """Promote what the alias points at, if it passes the checks of `trimtab promote`.

    If not, the alias is put back, and people hear why. Raises RegistryUnreachableError, after
    which nothing has changed.
    """
    try:
        found = promote_by_hand(bench, model, version, actor=HAND, how=Move.ADOPTION)
    except AlreadyChampionError:
        return None  # somebody promoted it meanwhile
    except RegistryUnreachableError:
        raise
    except StaleEpochError:
        reasons = ["the champion moved while it was checked"]
    except TrimtabError as error:
        reasons = [str(error)]
    except Exception as error:
        log.exception("version %s of %s cannot be checked", version, model)
        reasons = [f"unexpected {type(error).__name__}: {error}"]
    else:
        if found.promotion is not None:
            return found.promotion
        reasons = list(found.contest.result.reasons) if found.contest else []
    put_back(bench.registry, bench.database, model, version, reasons, at=bench.clock.now())
    return None
