"""Searches: the trials of a search for settings, by the request that it is for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "searches",
        sa.Column("request", sa.String(length=100), nullable=False),
        sa.Column("basis", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request", "basis", "number"),
    )
