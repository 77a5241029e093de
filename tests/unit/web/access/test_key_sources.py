"""Published keys: what a set may hold, a file that changes, a URL that fails."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli import main
from shared.errors import SettingsError
from tests.support.jwts import RULES, Signer, key_set
from tests.support.servers.processes import wait_until
from web.access.key_sources import KeyFile, KeysUnavailable, KeyUrl, read_key_file
from web.access.keys import parse_keys

RSA, EC, ED = Signer("RS256", "r"), Signer("ES256", "e"), Signer("EdDSA", "o")


def test_a_set_has_a_key_for_each_algorithm() -> None:
    keys = parse_keys(key_set(RSA, EC, ED))
    assert [(key.algorithm, key.kid) for key in keys] == [
        ("RS256", "r"), ("ES256", "e"), ("EdDSA", "o"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        None,
        5,
        {},
        {"kty": "oct", "k": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"},
        {"kty": ["RSA"]},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "A" * 100_000, "e": "AQAB"},
        {"kty": "RSA", "n": 5, "e": None},
        {"kty": "RSA", "n": "", "e": ""},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "!"},
        EC.jwk(use="enc"),
        EC.jwk(alg="ES512"),
        EC.jwk(alg="HS256"),
        RSA.jwk(alg="RS512"),
        EC.jwk(key_ops=["sign"]),
        EC.jwk(key_ops="verify"),
    ],
)
def test_a_key_that_cannot_be_used_is_left_out(row: Any) -> None:
    assert [k.kid for k in parse_keys(json.dumps({"keys": [row, ED.jwk()]}).encode())] == ["o"]
    with pytest.raises(ValueError, match="no key to verify"):
        parse_keys(json.dumps({"keys": [row]}).encode())


def test_of_a_private_key_only_the_public_part_is_read() -> None:
    private = json.loads(key_set(EC))["keys"][0] | {"d": "secret"}
    (key,) = parse_keys(json.dumps({"keys": [private]}).encode())
    assert key.thumbprint == parse_keys(key_set(EC))[0].thumbprint


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"5", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 9999]
)
def test_what_is_no_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"is not JSON|no JSON Web Key Set|no key to verify"):
        parse_keys(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
members = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "d"])
texts = st.text("AQ_-09", max_size=60) | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519"])


@given(st.lists(st.dictionaries(members, json_values | texts), max_size=4), st.sampled_from("red"))
def test_whatever_a_set_holds_it_is_read_or_refused(rows: list[Any], usual: str) -> None:
    whole = {"r": RSA, "e": EC, "d": ED}[usual].jwk()
    for row in (*rows, *({**whole, **row} for row in rows)):
        try:
            (key,) = parse_keys(json.dumps({"keys": [row]}).encode())
        except ValueError:
            continue
        assert key.algorithm in ("RS256", "ES256", "EdDSA")


# -- a file ------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def write(file: Path, text: bytes, mode: int = 0o644) -> None:
    draft = file.with_suffix(".new")
    draft.write_bytes(text)
    draft.chmod(mode)
    draft.replace(file)


def test_a_file_is_read_again_when_it_changes(file: Path) -> None:
    write(file, key_set(EC))
    keys = KeyFile(file)
    assert keys.find("ES256", "e")
    assert not keys.find("RS256", "r")
    write(file, key_set(RSA))
    assert keys.find("RS256", "r")
    assert not keys.find("ES256", "e")


@pytest.mark.parametrize("text", [b"{", b"", None])
def test_a_file_that_is_spoilt_later_changes_nothing_but_the_log(
    file: Path, text: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, key_set(EC))
    keys = KeyFile(file)
    write(file, text) if text is not None else file.unlink()
    assert keys.find("ES256", "e")
    assert "jwks.unreadable" in caplog.text


@pytest.mark.parametrize(
    ("text", "mode", "fault"),
    [
        (b"{", 0o600, "is not JSON"),
        (b"{}", 0o600, "Key Set"),
        (key_set(EC), 0o664, "chmod go-w"),
        (key_set(EC), 0o602, "chmod go-w"),
        (None, 0, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_prevents_the_start(
    file: Path, text: bytes | None, mode: int, fault: str
) -> None:
    if text is not None:
        write(file, text, mode)
    with pytest.raises(SettingsError, match=fault) as caught:
        read_key_file(file)
    assert len(caught.value.faults) == 1


def test_what_is_no_regular_file_is_not_waited_for(file: Path) -> None:
    write(file, key_set(EC))
    keys = KeyFile(file)
    file.unlink()
    os.mkfifo(file)
    for odd in (file, file.parent, Path("/dev/zero")):
        fault = r"JWT_JWKS_FILE: .*(is not a regular file|Is a directory)"
        with pytest.raises(SettingsError, match=fault):
            read_key_file(odd)
    with pytest.raises(SettingsError, match="is not JSON"):
        read_key_file(Path(os.devnull))
    assert keys.find("ES256", "e")


# -- a URL -------------------------------------------------------------------------------------


class Server:
    """Answers with what a test sets, or fails."""

    def __init__(self) -> None:
        self.answer: bytes | Exception = key_set(EC)
        self.asked = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def read(self, url: str, *, seconds: float, most: int) -> bytes:
        self.asked += 1
        assert self.goes_on.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def server() -> Server:
    return Server()


Make = Callable[..., KeyUrl]


@pytest.fixture
def make(server: Server) -> Iterator[Make]:
    """Starts sources that ask this server."""
    made: list[KeyUrl] = []

    def start(**options: Any) -> KeyUrl:
        timing = {"every": 60.0, "pause": 60.0, "within": 5.0, **options}
        made.append(KeyUrl("https://issuer.example/keys", read=server.read, **timing))
        made[-1].service.start()
        return made[-1]

    yield start
    server.goes_on.set()
    for keys in made:
        keys.service.stop()


def test_the_first_token_waits_for_the_first_reading(server: Server, make: Make) -> None:
    server.goes_on.clear()
    keys = make()
    threading.Timer(0.2, server.goes_on.set).start()
    assert keys.find("ES256", "e")
    assert server.asked == 1


def test_an_unknown_key_is_asked_for_once_and_then_not_for_a_while(
    server: Server, make: Make
) -> None:
    keys = make(pause=0.5)
    assert keys.find("ES256", "e")
    for _ in range(100):
        assert keys.find("ES256", "new") == []
    assert server.asked == 1
    server.answer = key_set(EC, Signer("ES256", "new", 1))
    wait_until(lambda: keys.find("ES256", "new"), what="the new key")
    assert server.asked == 2


def test_many_tokens_of_a_new_key_cause_one_reading(server: Server, make: Make) -> None:
    keys = make(pause=0.0)
    assert keys.find("ES256", "e")
    server.answer = key_set(Signer("ES256", "new", 1))
    server.goes_on.clear()
    found: list[bool] = []
    askers = [
        threading.Thread(target=lambda: found.append(bool(keys.find("ES256", "new"))))
        for _ in range(20)
    ]
    for asker in askers:
        asker.start()
    wait_until(lambda: server.asked == 2, what="a reading")
    server.goes_on.set()
    for asker in askers:
        asker.join(10)
    assert found == [True] * 20
    assert server.asked <= 3


@pytest.mark.parametrize(
    "failure", [OSError("down"), TimeoutError(), ValueError("x"), KeyError("a bug"), b"{}", b""]
)
def test_a_url_that_fails_keeps_the_old_keys(
    server: Server, make: Make, failure: bytes | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    keys = make(every=0.05)
    assert keys.find("ES256", "e")
    server.answer = failure
    wait_until(lambda: server.asked > 3, what="failed readings")
    assert keys.find("ES256", "e")
    assert keys.thumbprints()
    assert "jwks.un" in caplog.text or "jwks.failed" in caplog.text
    assert keys.service.healthy


def test_a_key_that_was_withdrawn_counts_no_more(server: Server, make: Make) -> None:
    keys = make(every=0.05)
    assert keys.find("ES256", "e")
    server.answer = key_set(RSA)
    wait_until(lambda: not keys.find("ES256", "e"), what="the withdrawal")


def test_before_the_first_keys_nobody_is_refused_for_good(server: Server, make: Make) -> None:
    server.answer = OSError("down")
    keys = make(pause=0.2)
    with pytest.raises(KeysUnavailable):
        keys.find("ES256", "e")
    assert keys.thumbprints() is None
    server.answer = key_set(EC)

    def found() -> bool:
        try:
            return bool(keys.find("ES256", "e"))
        except KeysUnavailable:
            return False

    wait_until(found, what="keys, when the server is back")


def test_a_server_that_hangs_holds_a_token_up_for_a_bounded_time(
    server: Server, make: Make
) -> None:
    server.goes_on.clear()
    keys = make(within=0.2)
    begun = time.monotonic()
    with pytest.raises(KeysUnavailable):
        keys.find("ES256", "e")
    assert time.monotonic() - begun < 2


def test_the_doctor_reads_the_keys_as_a_web_process_does(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**RULES, "HOLDFAST_HOME": str(file.parent / "home")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JWT_JWKS_FILE", str(file))
    write(file, key_set(EC, RSA))
    main(["doctor"])
    assert "2 of ES256, RS256" in capsys.readouterr().out
    write(file, b"{}")
    assert main(["doctor"]) == 1
    assert "JSON Web Key Set" in capsys.readouterr().out
    monkeypatch.delenv("JWT_JWKS_FILE")
    monkeypatch.setenv("JWT_JWKS_URL", "http://127.0.0.1:1/keys")
    main(["doctor"])
    assert "JWT_JWKS_URL cannot be used (ConnectionRefusedError" in capsys.readouterr().out
