"""One terminal for many processes: each line carries the name of the role that wrote it."""

from typing import TextIO

COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")  # ANSI foregrounds
OWN = "holdfast"


class Output:
    """Writes prefixed lines. A terminal that has gone away is not an error."""

    def __init__(self, stream: TextIO, *, coloured: bool) -> None:
        self._stream = stream
        self._coloured = coloured
        self._colours: dict[str, str] = {}
        self._width = len(OWN)

    def introduce(self, name: str) -> None:
        """Give a role its colour, and the prefix its width."""
        self._colours[name] = COLOURS[len(self._colours) % len(COLOURS)]
        self._width = max(self._width, len(name))

    def line(self, name: str, text: str) -> None:
        """Write one line of a role."""
        prefix = f"{name:{self._width}} |"
        if self._coloured:
            prefix = f"\x1b[{self._colours.get(name, '1')}m{prefix}\x1b[0m"
        self._write(f"{prefix} {text}\n")

    def say(self, text: str) -> None:
        """Write one line of the supervisor's own."""
        self.line(OWN, text)

    def plain(self, text: str) -> None:
        """Write text without a prefix."""
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):  # the reader left; the roles must go on
            return
