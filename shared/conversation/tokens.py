"""Counting the tokens of a text, with the `cl100k_base` vocabulary that is part of this package.

The vocabulary is read from the folder `vocabulary` beside this file and checked by its hash.
`tiktoken`'s own loader is not used: it downloads a missing file, without a time limit, and deletes
files that do not match. Where the file is missing or damaged, counts are
estimated instead.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import math
import re
from binascii import a2b_base64
from pathlib import Path

from tiktoken import Encoding

log = logging.getLogger(__name__)

VOCABULARY = Path(__file__).parent / "vocabulary" / "cl100k_base.tiktoken"
VOCABULARY_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"

# Facts of the encoding, as published with it.
_SPECIAL_TOKENS = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)

PIECE = 50_000  # characters encoded at once: the library panics at 1,000,000 blanks in a row
TOKENS_PER_CJK = 1.5  # measured: 1.0 to 1.4; rather too many than too few
CHARACTERS_PER_TOKEN = 4

# Han, kana, hangul, CJK punctuation and full-width forms, also beyond the basic plane.
_CJK = re.compile(
    "[\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)


def count(text: str) -> int:
    """Return the number of tokens of `text`.

    Special tokens are ordinary text here; lone surrogates count as U+FFFD.
    Exact up to PIECE characters; each further piece may differ by a token or two.
    """
    encoding = _encoding()
    if encoding is None:
        return estimate(text)
    pieces = range(0, len(text), PIECE)
    return sum(len(encoding.encode_ordinary(text[at : at + PIECE])) for at in pieces)


def estimate(text: str) -> int:
    """Estimate without vocabulary: 1.5 tokens per CJK character, 4 other characters per token."""
    cjk = len(_CJK.findall(text))
    return math.ceil(cjk * TOKENS_PER_CJK + (len(text) - cjk) / CHARACTERS_PER_TOKEN)


def preload() -> bool:
    """Load the vocabulary now (0.1 s) rather than at the first count; False if it is unusable."""
    return _encoding() is not None


@functools.cache
def _encoding() -> Encoding | None:
    """Load the encoding once. Two threads may both load it at first, which is harmless."""
    return load(VOCABULARY)


def load(path: Path) -> Encoding | None:
    """Read the encoding from a vocabulary file; None, with a log line, if missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        log.warning("tokens.vocabulary_missing error=%s", error)
        return None
    if hashlib.sha256(data).hexdigest() != VOCABULARY_SHA256:
        log.warning("tokens.vocabulary_damaged file=%s", path.name)
        return None
    words = data.split()  # token, rank, token, rank …
    ranks = dict(zip(map(a2b_base64, words[::2]), map(int, words[1::2]), strict=True))
    return Encoding(
        "cl100k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens=_SPECIAL_TOKENS
    )
