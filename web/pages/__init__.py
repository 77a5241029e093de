"""Serves the page that was built from `web/ui`, and tells it what it cannot know.

May import `web.api` and what is below that. Start with `serve.py`; `built_page.py` reads the files.
"""
