"""Attacks of a stranger, or of a user, and what they cost others: `python -m tests.abuse`.

All traffic goes to a stack that the command starts on loopback, and is bounded in time and count.
"""
