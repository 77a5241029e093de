"""The HTTP handlers of the demo gateway, one module for each group of paths.

They parse, call `runs`, `sessions`, `faults` or `record`, and answer.
"""
