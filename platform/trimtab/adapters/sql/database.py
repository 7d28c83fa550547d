"""Opening the database: engine, migrations, transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from trimtab.errors import DatabaseUnreachableError, SettingsError

from .keys import SqlKeys
from .label_search import SqlLabelFiles, SqlLabelSearch
from .labels import SqlLabels
from .ledger import SqlLedger, SqlPromotions
from .migrating import migrate
from .outbox import SqlEndpoints, SqlOutbox
from .requests import SqlRetrainRequests, SqlRowCounts
from .sums import SqlSums
from .trials import SqlTrials
from .watching import SqlFalseMarks, SqlIncidents, SqlVerdicts

# Until 3.51.3, two connections that write or checkpoint a WAL at once can corrupt it
# (sqlite.org/wal.html#walresetbug). Several processes write here, so WAL has to wait for that.
_WAL_IS_SOUND = sqlite3.sqlite_version_info >= (3, 51, 3)
_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
_ONE_WRITER = 0x7472696D  # the advisory lock that admits one writing transaction on PostgreSQL


@dataclass(frozen=True, slots=True)
class SqlStores:
    """All stores on one session, that is, in one transaction."""

    ledger: SqlLedger
    promotions: SqlPromotions
    requests: SqlRetrainRequests
    row_counts: SqlRowCounts
    incidents: SqlIncidents
    false_marks: SqlFalseMarks
    verdicts: SqlVerdicts
    sums: SqlSums
    labels: SqlLabels
    label_search: SqlLabelSearch
    label_files: SqlLabelFiles
    outbox: SqlOutbox
    endpoints: SqlEndpoints
    keys: SqlKeys
    trials: SqlTrials

    @classmethod
    def on(cls, session: Session) -> "SqlStores":
        """Bind every store to a session."""
        return cls(
            ledger=SqlLedger(session),
            promotions=SqlPromotions(session),
            requests=SqlRetrainRequests(session),
            row_counts=SqlRowCounts(session),
            incidents=SqlIncidents(session),
            false_marks=SqlFalseMarks(session),
            verdicts=SqlVerdicts(session),
            sums=SqlSums(session),
            labels=SqlLabels(session),
            label_search=SqlLabelSearch(session),
            label_files=SqlLabelFiles(session),
            outbox=SqlOutbox(session),
            endpoints=SqlEndpoints(session),
            keys=SqlKeys(session),
            trials=SqlTrials(session),
        )


class SqlDatabase:
    """The platform's database; safe to share between threads, to be opened anew after a fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[SqlStores]:
        """Open a transaction, serial with all others, so that what is read stays true.

        SQLite admits one writer by itself; on PostgreSQL an advisory lock does. The platform
        writes a few rows a second, so order is worth more here than parallel writers.
        """
        with Session(self.engine) as session, session.begin():
            if self.engine.dialect.name == "postgresql":
                session.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_WRITER})"))
            yield SqlStores.on(session)

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


def open_database(url: str) -> SqlDatabase:
    """Open a database by its SQLAlchemy URL and bring its tables up to date.

    Raises DatabaseUnreachableError, and DatabaseVersionError when a newer Trimtab wrote it.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:  # its message would show the password
        raise SettingsError(
            "TRIMTAB_DATABASE_URL is no URL of a database; write postgresql://user@host/name"
        ) from None
    try:
        engine = _engine(parsed)
        migrate(engine)
    except (OperationalError, NoSuchModuleError, ModuleNotFoundError) as error:
        shown = parsed.set(query={}).render_as_string(hide_password=True)
        why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise DatabaseUnreachableError(shown, why) from None
    return SqlDatabase(engine)


def _engine(parsed: URL) -> Engine:
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    if parsed.drivername in ("postgresql", "postgres"):  # the latter is what many hosts give
        parsed = parsed.set(drivername="postgresql+psycopg")
    patience = {"connect_timeout": _CONNECT_SECONDS} if "psycopg" in parsed.drivername else {}
    return create_engine(parsed, pool_pre_ping=True, connect_args=patience)


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions behind our back
    mode = "WAL" if _WAL_IS_SOUND else "TRUNCATE"
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what was erased is not left in free pages


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a later upgrade to writing could deadlock
