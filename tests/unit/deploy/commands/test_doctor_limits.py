"""The doctor says how many connections fit, and that a token is short."""

import pytest

from deploy.commands import doctor_limits
from deploy.commands.doctor_finding import NOTE, OK
from shared import file_limit
from shared.settings import Settings


def found(**environ: str) -> dict[str, tuple[str, str]]:
    settings = Settings.load(environ)
    return {f.subject: (f.state, f.detail) for f in doctor_limits.limits(settings)}


def test_few_files_are_noted_with_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_limits, "raise_file_limit", lambda: 1024)
    monkeypatch.setattr(file_limit, "file_limit", lambda: 1024)
    state, detail = found()["files"]
    assert state == NOTE
    assert str(1024 - file_limit.RESERVED) in detail
    assert found(CONNECTIONS_MAX="500")["files"][0] == OK


def test_a_short_token_is_noted() -> None:
    assert found(AUTH_TOKEN="secret")["token"][0] == NOTE
    assert "token" not in found(AUTH_TOKEN="x" * 16)
    assert "token" not in found()
