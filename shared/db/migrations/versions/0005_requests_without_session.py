"""runs: a request without session differs from one of a session named "-"

The new index is made before the old one goes, so that a request never counts twice. It refuses
nothing that the old one allowed. Processes of the version before find their runs with either.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Of two runs that the old index holds for one, the older keeps its request.
_FORGET_SECOND = """
UPDATE runs SET client_request_id = NULL
WHERE client_request_id IS NOT NULL AND (session_id IS NULL OR session_id = '-') AND EXISTS (
    SELECT 1 FROM runs AS other
    WHERE other.owner = runs.owner AND other.client_request_id = runs.client_request_id
    AND (other.session_id IS NULL OR other.session_id = '-')
    AND (other.created_at < runs.created_at
         OR (other.created_at = runs.created_at AND other.id < runs.id))
)
"""


def upgrade() -> None:
    _make("one_run_per_request", "''")
    op.drop_index("one_run_per_client_request", "runs")


def downgrade() -> None:
    op.execute(_FORGET_SECOND)
    _make("one_run_per_client_request", "'-'")
    op.drop_index("one_run_per_request", "runs")


def _make(name: str, no_session: str) -> None:
    session = sa.text(f"coalesce(session_id, {no_session})")
    op.create_index(name, "runs", ["owner", session, "client_request_id"], unique=True)
