"""Pruning: packages of versions that nobody will serve soon make way; the registry keeps them."""

import fcntl
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trimtab.ports import Clock, Database
from trimtab.records.ledger import LedgerEntry
from trimtab.records.promotions import Promotion
from trimtab.settings import Settings

from .pointer import read_pointer

_YOUNG_SECONDS = 86_400.0  # what was made today may be on its way to serve
_GONE = ".pruned-"


def prune(settings: Settings, model: str, database: Database, clock: Clock) -> None:
    """Remove the packages and local copies of old versions, and tell the ledger which.

    What is served or tried, was champion lately, or is among the newest stays. A version that
    comes back is fetched and built again.
    """
    with database.transaction() as stores:
        history = stores.promotions.history(model)
        trial = stores.trials.running(model)
    bentos, copies = (
        settings.home.bento(model, "x").parent,
        settings.home.version(model, "x").parent,
    )
    keep = kept(settings, model, history, [path.name for path in bentos.glob("[!.]*")])
    if trial is not None:
        keep |= {trial.champion, trial.challenger}
    removed = set()
    for folder in (bentos, copies):
        if not folder.is_dir():
            continue
        with _alone(folder):
            removed |= _remove(folder, keep)
    if removed:
        entry = LedgerEntry(
            at=clock.now(),
            actor="services",
            event="packages removed",
            model=model,
            subject=f"versions {', '.join(sorted(removed, key=_age))}",
            reasons=(f"serve.keep_versions is {settings.model(model).serve.keep_versions}",),
        )
        with database.transaction() as stores:
            stores.ledger.append(entry)


def kept(
    settings: Settings, model: str, history: Sequence[Promotion], there: Collection[str]
) -> set[str]:
    """Name the versions that must stay."""
    count = settings.model(model).serve.keep_versions
    champions = list(dict.fromkeys(promotion.version for promotion in history))
    served = read_pointer(settings.home.serving(model))
    return {
        *champions[:count],
        *sorted(there, key=_age, reverse=True)[:count],
        *([served.version] if served is not None else []),
    }


def _age(version: str) -> tuple[int, str]:
    """Order versions as the registry numbers them."""
    return (int(version), "") if version.isdigit() else (-1, version)


def _remove(folder: Path, keep: Collection[str]) -> set[str]:
    for left in folder.glob(f"{_GONE}*"):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)
    removed = set()
    for path in folder.glob("[!.]*"):
        is_young = time.time() - path.stat().st_mtime < _YOUNG_SECONDS
        if path.name in keep or is_young or not path.is_dir():
            continue
        aside = path.rename(path.with_name(f"{_GONE}{secrets.token_hex(4)}"))
        shutil.rmtree(aside, ignore_errors=True)
        removed.add(path.name)
    return removed


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep builds out meanwhile: they take the same lock."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
