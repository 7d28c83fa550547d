"""The platform's stores in SQLAlchemy: SQLite by default, PostgreSQL at scale, same code."""

from .database import SqlDatabase, open_database

__all__ = ["SqlDatabase", "open_database"]
