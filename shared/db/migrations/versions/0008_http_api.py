"""idempotency_keys: one run per Idempotency-Key; an index for the list of an owner's runs"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key"),
    )
    op.create_index("idempotency_keys_of_run", "idempotency_keys", ["run_id"])
    op.create_index("runs_by_time", "runs", ["owner", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("runs_by_time", "runs")
    op.drop_index("idempotency_keys_of_run", "idempotency_keys")
    op.drop_table("idempotency_keys")
