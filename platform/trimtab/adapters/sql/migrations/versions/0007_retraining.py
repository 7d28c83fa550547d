"""Retraining: what a request goes by and what stood in its way, and what there is to learn from."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("retrain_requests") as table:
        table.add_column(sa.Column("cause", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("obstacles", sa.Text(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("new_rows", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("preview", sa.Text(), nullable=True))
        table.add_column(sa.Column("override", sa.Text(), nullable=True))
    op.create_table(
        "row_counts",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("new_rows", sa.BigInteger(), nullable=False),
        sa.Column("arrival", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("model"),
    )
