"""Whether the consumer of this process still hears its broker, and the end of one that does not.

May import `shared` only. Start with `watchdog.py`; `silence.py` decides and is pure.
"""
