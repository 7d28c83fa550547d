"""Labels: who told them when, their history, and whether there is a prediction."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What is known of labels that are there already: when they became known."""
    moment = sa.DateTime(timezone=True)
    with op.batch_alter_table("labels") as labels:
        labels.add_column(sa.Column("confirmed_at", moment, nullable=True))
        labels.add_column(sa.Column("told_at", moment, nullable=True))
        labels.add_column(sa.Column("told_by", sa.Text(), nullable=True))
        labels.add_column(sa.Column("search", sa.String(length=10), nullable=True))
    op.execute(
        "UPDATE labels SET confirmed_at = known_at, told_at = known_at, told_by = 'somebody', "
        "search = 'unsought'"
    )
    with op.batch_alter_table("labels") as labels:
        for name, kind in (("confirmed_at", moment), ("told_at", moment), ("told_by", sa.Text())):
            labels.alter_column(name, existing_type=kind, nullable=False)
        labels.alter_column("search", existing_type=sa.String(length=10), nullable=False)
    op.create_index(
        "labels_without_a_prediction",
        "labels",
        ["model", "search"],
        sqlite_where=sa.text("search != 'found'"),
        postgresql_where=sa.text("search != 'found'"),
    )
    op.create_table(
        "past_labels",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("known_at", moment, nullable=False),
        sa.Column("told_at", moment, nullable=False),
        sa.Column("told_by", sa.Text(), nullable=False),
        sa.Column("replaced_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("past_labels_of_a_key", "past_labels", ["model", "key"])
    op.create_table(
        "label_files",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("model", "name"),
    )
