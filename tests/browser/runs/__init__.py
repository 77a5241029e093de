"""The page `/runs` in a browser, in front of real processes. Start with `conftest.py`."""
