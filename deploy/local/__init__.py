"""What a Holdfast on one machine consists of: home, ports, Redis server, gateway, roles.

Decides and prepares; the processes are started by `deploy.supervisor`. Start with `stack.py`.
"""
