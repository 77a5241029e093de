"""Runs the processes of `holdfast up`: starts, restarts and stops them, shows their output.

Knows roles, not what they do; imports nothing of Holdfast but `deploy.errors`. Start with
`supervisor.py`.
"""
