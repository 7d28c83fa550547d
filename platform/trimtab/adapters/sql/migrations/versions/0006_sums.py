"""Sums: what versions were asked and answered, added up by stretches of time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "sums",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("stretch_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stretch_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("sums", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "stretch_start"),
    )
    op.create_index("sums_through", "sums", ["model", "stretch_end"])
