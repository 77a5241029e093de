"""The command `holdfast`, and what it needs to run a whole Holdfast on one machine.

Top layer: imports everything else, and nothing imports it but tests. Start with `cli.py`; then one
module of `commands` for each command.
"""
