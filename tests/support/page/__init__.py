"""The page in a browser, for tests and pictures: Chromium, signing in, reading what is shown.

May import what other tests import. Start with `chromium.py`.
"""
