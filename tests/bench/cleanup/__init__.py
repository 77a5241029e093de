"""What it costs the others that very many expired sessions are deleted, on both databases.

Imports the crowd of the bench of overload and the test rig. Start with `__main__`, then `measure`.
"""
