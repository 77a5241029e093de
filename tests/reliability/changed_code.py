"""Tell a mechanism that is off from a change that does not work. Pure.

A guard's test must fail because the mechanism is missing. It also fails when the replaced text
calls a function that does not exist, and that proves nothing. The two are told apart by the
tracebacks that pytest prints: those of the failure, and those in the captured log and output of
the test, because threads log what they do not raise.

The change is at fault if an exception of a kind that only a programming error has was raised by
the changed file: of the frames in our own tree, the deepest one lies in it. An `AttributeError` of
the test itself (the result was None) is a normal failure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEAD = "Traceback (most recent call last):"
FRAME = re.compile(r'\s*File "(?P<path>[^"<]+)", line (?P<line>\d+)')
PROGRAMMING_ERRORS = frozenset(
    {"NameError", "UnboundLocalError", "AttributeError", "ImportError", "ModuleNotFoundError"}
)
WRONG_CALL = re.compile(
    r"unexpected keyword|missing \d+ required|takes no|positional arguments? |multiple values for"
)


@dataclass(frozen=True)
class Traceback:
    """One traceback in Python's own format: the files of its frames, outermost first."""

    files: tuple[str, ...]
    error: str

    @property
    def is_programming_error(self) -> bool:
        """Whether the exception is one that a call of something that is not there raises."""
        kind, _, message = self.error.partition(":")
        return kind in PROGRAMMING_ERRORS or (
            kind == "TypeError" and WRONG_CALL.search(message) is not None
        )

    def raised_by(self, file: Path, root: Path) -> bool:
        """Whether the deepest frame below `root` lies in `file`."""
        paths = [root / name for name in self.files]  # an absolute name stays as it is
        own = [path for path in paths if path.is_relative_to(root)]
        return bool(own) and own[-1] == file


def error_of_change(output: str, file: Path, root: Path) -> str:
    """The first programming error in `output` that the changed `file` raised; "" without one."""
    for traceback in tracebacks(output):
        if traceback.is_programming_error and traceback.raised_by(file, root):
            return traceback.error
    return ""


def tracebacks(output: str) -> Iterator[Traceback]:
    """All tracebacks of a text, also such as stand behind a prefix on each line."""
    lines = output.splitlines()
    for number, line in enumerate(lines):
        column = line.find(HEAD)
        if column >= 0:
            yield _read([following[column:] for following in lines[number + 1 : number + 1000]])


def _read(lines: list[str]) -> Traceback:
    files = []
    for line in lines:
        if frame := FRAME.match(line):
            files.append(frame["path"])
        elif not line.startswith(" "):
            return Traceback(tuple(files), line.strip())
    return Traceback(tuple(files), "")
