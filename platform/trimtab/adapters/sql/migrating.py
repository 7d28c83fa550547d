"""Bringing the tables up to date, by Alembic, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from trimtab.errors import DatabaseVersionError

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Apply the migrations that are missing. Raises DatabaseVersionError."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:  # on SQLite this waits for any other migration
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1953655149)")
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise DatabaseVersionError(
                f"{engine.url.render_as_string()} is at revision {current}, which this Trimtab "
                "does not know. A newer one wrote it: upgrade Trimtab."
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
