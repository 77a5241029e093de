"""What the page `/runs` asks beside lists and queue: counts, plots, one run, its events, a stop.

It may import what other operations import. Start with `routes.py`.
"""
