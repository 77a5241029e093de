"""The page while processes, connections and devices fail, and on several devices at once.

May import from tests.browser, tests.page_chaos and tests.support. Start with `test_kills.py`.
"""
