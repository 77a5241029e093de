"""Alembic's entry: runs the migrations on the connection that shared.db.migrate opened."""

from alembic import context

from shared.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
