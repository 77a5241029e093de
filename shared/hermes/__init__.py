"""Which gateways there are: profiles, and what a Hermes home on this machine says about them.

Reads files and settings; it does not use the network. Start with `profiles.py`.
"""
