"""The life of incidents, what was marked false, and how far each address has got."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ACTIVE = sa.text("state NOT IN ('resolved', 'marked_false')")


def upgrade() -> None:
    """Apply."""
    op.drop_index("one_unresolved_incident_a_situation", "incidents")
    with op.batch_alter_table("incidents") as batch:
        batch.add_column(
            sa.Column("severity", sa.String(length=100), nullable=False, server_default="notice")
        )
        batch.add_column(sa.Column("windows", sa.Text(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("showing", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("seen_through", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("comebacks", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("handled_by", sa.Text(), nullable=True))
        batch.add_column(sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "one_active_incident_a_situation",
        "incidents",
        ["model", "situation"],
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_table(
        "false_marks",
        sa.Column("incident", sa.String(length=100), nullable=False),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("marked_by", sa.Text(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("incident", "column"),
    )
    op.create_index("ix_false_marks_model", "false_marks", ["model"])
    with op.batch_alter_table("outbox") as batch:
        batch.drop_column("attempts")
        batch.drop_column("next_attempt")
        batch.drop_column("error")
        batch.add_column(sa.Column("link", sa.Text(), nullable=True))
        batch.add_column(sa.Column("command", sa.Text(), nullable=True))
        batch.add_column(sa.Column("incident", sa.Text(), nullable=True))
        batch.add_column(sa.Column("queued", sa.Float(), nullable=False, server_default="0"))
    op.execute(sa.text("UPDATE outbox SET queued = :now").bindparams(now=time.time()))
    op.create_table(
        "deliveries",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("next_attempt", sa.Float(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("is_unsure", sa.Boolean(), nullable=False),
        sa.Column("taken", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", "address"),
    )
