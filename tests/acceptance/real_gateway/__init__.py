"""Runs on the real gateway, the package `hermes-agent`."""
