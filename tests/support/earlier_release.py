"""Unpacks the tree of a release before this one, which a test keeps as an archive."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack_release(archive: Path, folder: Path) -> Path:
    """Unpack the archive into the folder, which it makes; returns the folder."""
    with tarfile.open(archive) as opened:
        # The first versions of Python 3.11 have no filters, and do not look at this.
        opened.extraction_filter = getattr(tarfile, "data_filter", None)
        opened.extractall(folder)  # noqa: S202  # ours
    return folder
