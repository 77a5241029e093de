"""responses: the runs that are responses of OpenAI's API, and what their streams had at the end"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "responses",
        sa.Column(
            "run_id",
            sa.String(length=255),
            sa.ForeignKey("runs.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("previous_run_id", sa.String(length=255), nullable=True),
        sa.Column("conversation", sa.String(length=255), nullable=True),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.Column("extras", sa.JSON(), nullable=True),
        sa.Column("first_turn", sa.Integer(), nullable=True),
        sa.Column("streamed", sa.JSON(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("responses")
