"""TOML files as editors save them: with or without a mark of byte order, also in UTF-16. Pure."""

import codecs
import tomllib
from typing import Any


def parse(data: bytes) -> dict[str, Any]:
    """Return the tables of a file. Raises ValueError: what is wrong, without anything of it."""
    try:
        return tomllib.loads(decode(data))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML {_place(error)}") from None
    except RecursionError:
        raise ValueError("is not TOML: nested too deep") from None


def decode(data: bytes) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its mark. Raises ValueError."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not in UTF-8; save it with that encoding") from None


def _place(error: tomllib.TOMLDecodeError) -> str:
    """The position alone: the rest of the message quotes the file, which may have keys in it."""
    _, found, place = str(error).rpartition("(at ")
    return f"(at {place}" if found else ""
