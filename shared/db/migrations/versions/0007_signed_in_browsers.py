"""installation_secrets, signed_out_cookies: the key of cookies, and which cookies were signed out

Both are new; processes of the version before do not know them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "installation_secrets",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "signed_out_cookies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("signed_out_until", "signed_out_cookies", ["until"])


def downgrade() -> None:
    op.drop_table("signed_out_cookies")
    op.drop_table("installation_secrets")
