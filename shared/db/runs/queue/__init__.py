"""The waiting runs of all sessions: which may start, in which order, and how many there may be.

Imports the models and, of `shared.db.runs`, the claim and the order within a session. Start with
`fair_order`.
"""
