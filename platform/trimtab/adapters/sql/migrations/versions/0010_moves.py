"""How each champion came, and which bytes a winner had when it was judged."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SAID = {"rolled back from": "rollback", "override by": "force", "approved by": "approval"}
"""The first words of the reasons, by which moves were told apart before."""


def upgrade() -> None:
    """Apply."""
    how = sa.Column("how", sa.String(length=100), nullable=False, server_default="gate")
    op.add_column("promotions", how)
    for words, move in _SAID.items():
        op.execute(f"UPDATE promotions SET how = '{move}' WHERE reasons LIKE '[\"{words} %'")
    op.add_column("retrain_requests", sa.Column("manifest_sha256", sa.String(length=64)))
