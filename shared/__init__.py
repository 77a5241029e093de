"""What both web and worker need: settings, errors, the protocol, the database, the event log.

Imports neither web nor worker nor deploy. Start with `protocol/run_states.py`, then
`db/runs/claim.py` (who does a run) and `event_log/store.py` (how its events reach clients).
"""
