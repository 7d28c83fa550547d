"""`trimtab erase` and `trimtab quarantine`: what a person does about single records."""

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from trimtab.cli import console, project_option
from trimtab.cli.person import person
from trimtab.errors import ExitCode, SettingsError, TrimtabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trimtab.records.contracts import Contract
    from trimtab.settings import Settings

    from .erasing import Eraser
    from .label_taking import LabelTaker
    from .shipper import Shipper

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.5


class NotErasedYetError(TrimtabError):
    """An erasure is recorded and not done."""

    def __init__(self) -> None:
        super().__init__(
            "The erasure is recorded and not done yet: an endpoint still holds what it captured "
            "last. The services worker goes on with it; the same command tells when it is done."
        )


@click.command(
    epilog="Example: trimtab erase late-arrival --key order-7. Exit code 3: nothing was found."
)
@click.argument("model")
@click.option("--key", help="Whose: the key that its requests and labels came with.")
@click.option("--prediction-id", help="Or one prediction alone, by the id in its answer.")
@project_option
def erase(settings: "Settings", model: str, key: str | None, prediction_id: str | None) -> None:
    """Erase one subject's requests of MODEL, for good.

    They leave the capture spool, the inference log, the quarantine and the labels; the ledger
    keeps that it was done, under a keyed hash. The ask is recorded first, so that it is carried
    out even if this command is killed.

    Not touched: your source data and what was learned from it (a version's sample rows, golden
    rows, and reports in MLflow), backups, and whatever others copied out of the log.
    """
    from trimtab.adapters.opening import open_clock, open_database, open_log, open_upkeep
    from trimtab.records.erasures import Erasure

    from .erasing import NOTHING, Eraser, ask
    from .label_inbox import Inbox
    from .label_taking import LabelTaker

    settings.model(model)
    if not (key or prediction_id) or (key and prediction_id):
        raise SettingsError("say whose records: either --key or --prediction-id")
    clock = open_clock(settings)
    erasure = Erasure(
        model=model,
        key=key,
        prediction_id=prediction_id,
        asked_at=clock.now(),
        actor=person(),
    )
    path = ask(settings, erasure)
    database, upkeep = open_database(settings), open_upkeep(settings)
    eraser = Eraser(settings=settings, database=database, upkeep=upkeep, clock=clock)
    inbox, log = Inbox(settings.home.labels(model)), open_log(settings)
    taker = LabelTaker(inbox, model, database, log, time.monotonic)
    with ExitStack() as closing:
        shipper = _shipper(settings, model, closing)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _is_erased(eraser, path, shipper, taker):
            if time.monotonic() > deadline:
                raise NotErasedYetError
            time.sleep(_POLL_SECONDS)
    told = eraser.told(erasure)
    if NOTHING in told:
        console.print(f"Nothing of this subject is in the records of {model}.")
        raise SystemExit(ExitCode.REFUSED)
    console.print(f"Erased from the records of {model}: {', '.join(told[1:])}.", markup=False)


@click.command(epilog="Example: trimtab quarantine late-arrival --retry. Exit code 3: some stay.")
@click.argument("model")
@click.option("--retry", is_flag=True, help="Log those that fit by now.")
@project_option
def quarantine(settings: "Settings", model: str, retry: bool) -> None:
    """Show the captured requests of MODEL that fit no known contract, and why.

    They are no loss: they lie in the capture spool's folder `quarantine`, one a line. Once the
    reason is gone, a version's bento was missing say, --retry moves them into the log.
    """
    from trimtab.adapters.opening import open_database, open_log

    from .quarantine import Quarantine
    from .requeue import Requeue

    settings.model(model)
    found = Requeue(
        model=model,
        quarantine=Quarantine(settings.home.spool(model) / "quarantine"),
        log=open_log(settings),
        contract_of=_contract_of(settings, model),
    ).look(retry=retry)
    if found.logged:
        with open_database(settings).transaction() as stores:
            stores.label_search.search_again(model)  # labels may be waiting for these rows
        console.print(f"{found.logged} requests of {model} went from quarantine into the log.")
    for why, count in found.kept.most_common():
        console.print(f"{count} in quarantine: {why}.", markup=False)
    if found.kept:
        raise SystemExit(ExitCode.REFUSED)
    if not found.logged:
        console.print(f"No request of {model} is in quarantine.")


def _is_erased(
    eraser: "Eraser", path: "Path", shipper: "Shipper | None", taker: "LabelTaker"
) -> bool:
    """Ship what was captured and erase what can be, unless a worker is at it."""
    if shipper is None:
        return not path.exists()
    shipper.ship()
    taker.step()
    return eraser.erase(path)


def _shipper(settings: "Settings", model: str, closing: ExitStack) -> "Shipper | None":
    """Take the spool; None when a services worker has it, which then erases as well."""
    from trimtab.adapters.opening import open_log

    from .shipper import Shipper, SpoolTakenError

    try:
        shipper = Shipper(
            settings.home.spool(model),
            model,
            open_log(settings),
            _contract_of(settings, model),
            patience_seconds=_PATIENCE_SECONDS / 4,
        )
    except SpoolTakenError:
        return None
    closing.callback(shipper.close)
    return shipper


def _contract_of(settings: "Settings", model: str) -> "Callable[[str], Contract]":
    from .bundle import read_contract, source_of

    return lambda version: read_contract(source_of(settings.home.bento(model, version)))
