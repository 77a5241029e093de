"""Clients of Holdfast (Socket.IO in Python and JavaScript) and of gateways (HTTP)."""
