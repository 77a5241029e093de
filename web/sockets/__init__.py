"""Connected sockets: who they are, their requests in order, and what is queued on them.

Imports no other folder of web. `engineio_internals.py` holds all that is used of the libraries'
undocumented names. Start with `connections.py` and `emitter.py`.
"""
