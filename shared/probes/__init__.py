"""What a process says about itself: whether its loops live, and whether it can work.

For all processes and for `holdfast probe`. May import `shared.service` only. Start with `pulse.py`,
which writes; `reading.py` reads.
"""
