"""Token counts: exact with the shipped vocabulary, estimated without, bounded in time."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation import tokens
from tests.unit.shared.conversation.golden_cases import CASES


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_counts_equal_the_recorded_ones(case: dict[str, Any]) -> None:
    # Characters beyond the basic plane (the rocket in these cases) are surrogate pairs where the
    # counts were recorded and single code points here. Both encoders work on UTF-8, so a whole
    # pair counts the same; only a text that was cut inside a pair would differ (it holds a lone
    # half, which no cut here makes). Content lists were counted as nothing; callers here count
    # their text, so only texts are compared.
    texts = [(at, m["content"]) for at, m in enumerate(case["messages"])]
    for at, content in texts:
        if isinstance(content, str):
            assert tokens.count(content) == case["tokens"][at]


def test_special_tokens_are_ordinary_text() -> None:
    assert tokens.count("<|endoftext|>") > 1


def test_lone_surrogates_count_as_the_replacement_character() -> None:
    assert tokens.count("a\ud83d") == tokens.count("a\ufffd")


@pytest.mark.parametrize(
    "text", [" " * 1_100_000 + "x", "\n" * 1_100_000 + "x", "a" * 1_000_000, "!" * 1_000_000]
)
def test_a_megabyte_of_one_character_is_counted_in_time(text: str) -> None:
    # Encoded as a whole, the blanks overflow the matcher's stack and the library panics.
    tokens.preload()
    began = time.perf_counter()
    assert tokens.count(text) > 0
    assert time.perf_counter() - began < 5


def test_pieces_change_the_count_of_a_long_text_by_next_to_nothing() -> None:
    line = "It's fine, 12345 of them. "
    lines = tokens.PIECE * 4 // len(line)
    assert tokens.count(line * lines) == pytest.approx(
        tokens.count(line * 100) / 100 * lines, 0.001
    )


def test_the_vocabulary_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("tokens reached for the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoding = tokens.load(tokens.VOCABULARY)
    assert encoding is not None
    assert encoding.n_vocab == 100_277


def test_without_a_vocabulary_counts_are_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tokens._encoding.cache_clear()
    monkeypatch.setattr(tokens, "VOCABULARY", tmp_path / "missing")
    try:
        with caplog.at_level(logging.WARNING):
            assert tokens.preload() is False
        assert tokens.count("12345678") == 2
        assert "tokens.vocabulary_missing" in caplog.text
    finally:
        tokens._encoding.cache_clear()


def test_a_damaged_vocabulary_is_not_used(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(tokens.VOCABULARY.read_bytes().replace(b"IQ== 0", b"IQ== 1", 1))
    assert tokens.load(damaged) is None


def test_the_notice_lies_beside_the_vocabulary() -> None:
    notice = (tokens.VOCABULARY.parent / "NOTICE.txt").read_text(encoding="utf-8")
    assert tokens.VOCABULARY_SHA256 in notice
    assert "MIT License" in notice


def test_the_estimate_knows_dense_scripts() -> None:
    assert tokens.estimate("") == 0
    assert tokens.estimate("日本語のテキスト") == 12
    assert tokens.estimate("a" * 41) == 11
    assert tokens.estimate("日a") == 2


@given(st.text(max_size=200))
def test_any_text_can_be_counted_and_estimated(text: str) -> None:
    assert (tokens.count(text) > 0) == bool(text)
    assert (tokens.estimate(text) > 0) == bool(text)
