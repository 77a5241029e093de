"""Alembic's migrations: `env.py` is its entry, `versions/` has one file per change of the schema.

Run by `shared.db.migrate`. A migration must work while processes of the version before run.
"""
