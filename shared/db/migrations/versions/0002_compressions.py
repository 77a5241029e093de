"""compressions: one row for each"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "compressions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("trigger_tokens", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("after_tokens", sa.BigInteger(), nullable=True),
        sa.Column("before_messages", sa.Integer(), nullable=False),
        sa.Column("after_messages", sa.Integer(), nullable=True),
        sa.Column("first_turn", sa.Integer(), nullable=False),
        sa.Column("last_turn", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ephemeral_id", sa.String(length=255), nullable=False),
        sa.Column("gateway_run_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("compressions", schema=None) as batch_op:
        batch_op.create_index(
            "compressions_of_session", ["owner", "session_id", "id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("compressions", schema=None) as batch_op:
        batch_op.drop_index("compressions_of_session")

    op.drop_table("compressions")
