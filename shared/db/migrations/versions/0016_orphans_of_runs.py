"""chases: an index by run, since the deletion of a session deletes those of its runs

At a gateway without transcripts each run has one.
"""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_index("chases_of_run", "chases", ["run_id"])


def downgrade() -> None:
    op.drop_index("chases_of_run", "chases")
