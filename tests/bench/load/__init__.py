"""Makes the load: the measured stack, the client process and its readers."""
