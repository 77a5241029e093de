"""More work than can be done, on both databases: what it costs those who wait, and the others.

Imports the bench's databases and the test rig. Start with `__main__`, then `scenarios`.
"""
