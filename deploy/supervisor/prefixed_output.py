"""Writes the output of many processes to one terminal, each line behind its role's name."""

from typing import TextIO

from deploy.supervisor.sink import sink_of
from shared.log_setup import visible

COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")  # ANSI foregrounds
OWN_NAME = "holdfast"


class PrefixedOutput:
    """Writes prefixed lines. Those that cannot be written are lost, and counted for when it is
    possible again: nothing that happens to a terminal or a disk harms the processes."""

    def __init__(self, stream: TextIO | None, *, coloured: bool) -> None:
        """`stream`: None writes nothing."""
        self._sink = sink_of(stream)
        self._lost = 0  # lines in a row
        self._coloured = coloured
        self._colours: dict[str, str] = {}
        self._width = len(OWN_NAME)

    def add_role(self, name: str) -> None:
        """Choose the colour of a role, and widen the prefix to its name."""
        self._colours[name] = COLOURS[len(self._colours) % len(COLOURS)]
        self._width = max(self._width, len(name))

    def write_line(self, name: str, text: str) -> None:
        """Write one line of a role: not all of them write what is safe for a terminal."""
        prefix = f"{name:{self._width}} |"
        if self._coloured:
            prefix = f"\x1b[{self._colours.get(name, '1')}m{prefix}\x1b[0m"
        self._write(f"{prefix} {visible(text)}\n")

    def write_own_line(self, text: str) -> None:
        """Write one line of the supervisor itself."""
        self.write_line(OWN_NAME, text)

    def write_plain(self, text: str) -> None:
        """Write text without a prefix."""
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        lost = self._lost
        note = f"{OWN_NAME:{self._width}} | output.lost lines={lost}\n" if lost else ""
        self._lost = 0 if self._sink(note + text) else lost + 1
