"""The command `holdfast`, and what it needs to run a whole Holdfast on one machine.

Top layer: imports everything else, and nothing imports it but tests. Start with `cli.py`; then one
module of `commands` for each command.
"""

import sys
from pathlib import Path

#: The folder of the packages. A folder in PYTHONPATH may have others of their names, such as `web`.
ROOT = str(Path(__file__).resolve().parent.parent)

sys.path.insert(0, ROOT)
