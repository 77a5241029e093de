"""The pictures of the README: screenshots, and a recording of a web process that is killed.

May import from tests.support. Start with `__main__.py`.
"""
