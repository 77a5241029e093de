"""session_usage: what a run cost in money, and who bills it"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("session_usage", schema=None) as batch_op:
        batch_op.add_column(sa.Column("billing_provider", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("estimated_cost_usd", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("actual_cost_usd", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("cost_status", sa.Text(), nullable=True))
        batch_op.create_index("usage_by_time", ["created_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("session_usage", schema=None) as batch_op:
        batch_op.drop_index("usage_by_time")
        batch_op.drop_column("cost_status")
        batch_op.drop_column("actual_cost_usd")
        batch_op.drop_column("estimated_cost_usd")
        batch_op.drop_column("billing_provider")
