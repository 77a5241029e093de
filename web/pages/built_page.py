"""The files of the built page, read once: a new build beside a running process changes nothing."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

FOLDER: Final = Path(__file__).with_name("built")
SHELL: Final = "index.html"
HASHED: Final = "assets/"  # files below it have a hash of their content in their names
_ENCODINGS: Final = {".br": "br", ".gz": "gzip"}  # in the order of preference
_TEXT: Final = ("text/", "application/javascript", "image/svg+xml")


@dataclass(frozen=True)
class PageFile:
    """One file: its type, its content as it is and by encoding, and a hash of it."""

    kind: str
    plain: bytes
    encoded: Mapping[str, bytes]
    digest: str
    is_hashed: bool

    def best(self, accepted: Mapping[str, float]) -> tuple[bytes, str | None]:
        """The content for a client that takes these encodings (name -> quality), and which one it
        is; None: as it is."""
        for name, content in self.encoded.items():
            if accepted.get(name, accepted.get("*", 0.0)) > 0:
                return content, name
        return self.plain, None


class BuiltPage:
    """Path without the leading slash -> file."""

    def __init__(self, files: Mapping[str, PageFile]) -> None:
        self.files = files

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Self | None:
        """Read a folder; None if no page was built there."""
        if not (folder / SHELL).is_file():
            return None
        paths = [path for path in folder.rglob("*") if path.is_file()]
        names = {path.relative_to(folder).as_posix(): path for path in paths}
        return cls(
            {
                name: _file(name, path)
                for name, path in names.items()
                if path.suffix not in _ENCODINGS and not path.name.startswith(".")
            }
        )


def _file(name: str, path: Path) -> PageFile:
    plain = path.read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    twins = {code: path.with_name(path.name + end) for end, code in _ENCODINGS.items()}
    return PageFile(
        kind=f"{kind}; charset=utf-8" if kind.startswith(_TEXT) else kind,
        plain=plain,
        encoded={code: twin.read_bytes() for code, twin in twins.items() if twin.is_file()},
        digest=hashlib.sha256(plain).hexdigest()[:32],
        is_hashed=name.startswith(HASHED),
    )
