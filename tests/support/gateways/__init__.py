"""Gateways as processes: the demo gateway, and the real one with a scripted model."""
