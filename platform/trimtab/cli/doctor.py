"""`trimtab doctor`: looks for the usual problems and says the fix."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click
from packaging.version import Version
from rich.markup import escape

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.urls import without_userinfo

from .output import console

if TYPE_CHECKING:
    from trimtab.settings import Settings

_FLOORS = {
    "mlflow-skinny": "3.17.2",
    "bentoml": "1.4.39",
    "evidently": "0.7.23",
    "scikit-learn": "1.7",
    "xgboost": "3.1",
    "sqlalchemy": "2.0.43",
}
_PANDAS_BELOW = "3"
_DISK_BYTES = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    well: bool
    found: str
    fix: str = ""


@click.command(epilog="Exit code: 0 nothing is wrong, 1 something is.")
@click.option(
    "--project",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Folder that holds trimtab.toml.",
)
def doctor(folder: Path) -> None:
    """Look for the usual problems of versions, settings, ports, disk and stores."""
    checks = list(examine(folder))
    for check in checks:
        mark, colour = ("ok", "green") if check.well else ("!!", "red")
        console.print(f"[{colour}]{mark}[/]  {check.name}: {escape(check.found)}")
        if not check.well:
            console.print(f"      {check.fix}", style="yellow", markup=False)
    if not all(check.well for check in checks):
        raise SystemExit(ExitCode.FAILED)


def examine(folder: Path) -> Iterator[Check]:
    """Look at the machine, then at the project as far as it can be read."""
    from trimtab.settings import FILE, load

    yield from _versions()
    try:
        settings = load(folder)
    except TrimtabError as error:
        yield Check(name=FILE, well=False, found=str(error), fix="Correct the file; then again.")
        return
    yield Check(name=FILE, well=True, found=f"{len(settings.project.models)} models declared")
    yield from _home(settings)
    for look in (_database, _registry, _ports, _clock):
        yield from _guarded(look, settings)


def _guarded(
    look: Callable[["Settings"], Iterator[Check]], settings: "Settings"
) -> Iterator[Check]:
    """A check that cannot be made is a finding, not an end of the examination."""
    try:
        yield from look(settings)
    except Exception as error:  # whatever a store raises is what the user must see
        name = look.__name__.strip("_")
        yield Check(name=name, well=False, found=str(error), fix=f"Make the {name} reachable.")


def _versions() -> Iterator[Check]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Check(
        name="python",
        well=(3, 11) <= sys.version_info[:2] < (3, 14),
        found=python,
        fix="Use Python 3.11, 3.12 or 3.13.",
    )
    for package, floor in _FLOORS.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue  # a component that is not installed here needs none of its packages
        well = Version(installed) >= Version(floor)
        fix = f"pip install '{package}>={floor}'"
        yield Check(name=package, well=well, found=installed, fix=fix)
    pandas = version("pandas")
    well = Version(pandas) < Version(_PANDAS_BELOW)
    yield Check(
        name="pandas", well=well, found=pandas, fix="pip install 'pandas<3' (Evidently needs it)"
    )


def _home(settings: "Settings") -> Iterator[Check]:
    home = settings.home.root
    existing = next(path for path in (home, *home.parents) if path.exists())
    yield Check(
        name="home",
        well=os.access(existing, os.W_OK),
        found=str(home),
        fix=f"Make {existing} writable, or set TRIMTAB_HOME to a folder that is.",
    )
    free = shutil.disk_usage(existing).free
    yield Check(
        name="disk",
        well=free > _DISK_BYTES,
        found=f"{free >> 30} GiB free",
        fix="Free some space: captured requests are counted but not kept on a full disk.",
    )


def _database(settings: "Settings") -> Iterator[Check]:
    from trimtab.adapters.opening import open_database

    with open_database(settings).transaction() as stores:
        rows = stores.ledger.verify()
    yield Check(name="database", well=True, found=f"reachable; ledger of {rows} rows is whole")
    sound = sqlite3.sqlite_version_info >= (3, 51, 3)
    note = "WAL" if sound else "rollback journal, because its WAL has the reset bug until 3.51.3"
    yield Check(name="sqlite", well=True, found=f"{sqlite3.sqlite_version} ({note})")


def _registry(settings: "Settings") -> Iterator[Check]:
    import httpx2

    from trimtab.supervisor import is_up

    expected = settings.environment.tracking_uri is not None or is_up(settings.home.run)
    if not expected:
        yield Check(name="mlflow", well=True, found="not running; `trimtab up` starts it")
        return
    answer = httpx2.get(f"{settings.tracking_uri}/version", timeout=5.0, trust_env=False)
    yield Check(
        name="mlflow",
        well=answer.status_code == 200,
        found=f"{without_userinfo(settings.tracking_uri)}: {answer.status_code} {answer.text[:40]}",
        fix="Look into the log of the MLflow server.",
    )


def _ports(settings: "Settings") -> Iterator[Check]:
    from trimtab.supervisor import is_up, require_free

    if is_up(settings.home.run):
        yield Check(name="ports", well=True, found="held by the platform, which is up")
        return
    platform = settings.project.platform
    wanted = [(platform.host, platform.mlflow_port, "platform.mlflow_port")]
    for name, model in settings.project.models.items():
        wanted.append((model.serve.host, model.serve.port, f"models.{name}.serve.port"))
    for host, port, setting in wanted:
        try:
            require_free(host, port, setting)
        except TrimtabError as error:
            yield Check(name="ports", well=False, found=f"{port} cannot be had", fix=str(error))
        else:
            yield Check(name="ports", well=True, found=f"{port} is free ({setting})")


def _clock(settings: "Settings") -> Iterator[Check]:
    from trimtab.adapters.opening import open_clock

    now = open_clock(settings).now()
    replay = settings.environment.clock is not None
    yield Check(
        name="clock",
        well=replay or now > datetime(2026, 1, 1, tzinfo=UTC),
        found=f"{now:%F %H:%M} UTC{' (a replay)' if replay else ''}",
        fix="Set the system's clock; windows and cool-downs go by it.",
    )
