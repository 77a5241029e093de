"""run_attempts: which POST was proved absent and repeated, and which was one too many"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("run_attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_absent_at", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("proof", sa.String(length=16), nullable=True))
        batch_op.add_column(
            sa.Column("double_post", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    with op.batch_alter_table("run_attempts", schema=None) as batch_op:
        batch_op.drop_column("double_post")
        batch_op.drop_column("proof")
        batch_op.drop_column("proved_absent_at")
