"""A stand-in for a Hermes gateway that needs no model: it plays scripts, and faults on demand.

A process of its own (`python -m deploy.demo_gateway`) that imports nothing else of Holdfast. Start
with `app.py` for requests, `runs/script.py` for what a run can be asked to do.
"""

KEY_VARIABLE = "DEMO_GATEWAY_KEY"
