"""What clients and operators may ask for: connect, socket events, `POST /runs`, health.

May import every other folder of web. Start with `socket_events.py`: parse, call, acknowledge.
"""
