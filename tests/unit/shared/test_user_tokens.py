"""The tokens of users: what the file may say, and when it is read again."""

import time
from pathlib import Path

import pytest

from deploy.cli import main
from shared.errors import SettingsError
from shared.settings import Settings
from shared.user_tokens import SETTLED_NS, Stamp, digest, new_token, read
from web.auth import Authenticator, Unauthenticated


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


def write(file: Path, text: str, mode: int = 0o600) -> None:
    """As an operator's editor does: a new file takes the place of the old one."""
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(file)


def line(name: str, *tokens: str) -> str:
    return f'"{name}" = [{", ".join(repr(digest(token)) for token in tokens)}]\n'


def authenticator(file: Path, **environ: str) -> Authenticator:
    return Authenticator(Settings.load({"TOKENS_FILE": str(file), **environ}))


def test_each_token_of_a_user_is_that_owner_and_no_other(file: Path) -> None:
    write(file, "[users]\n" + line("alice", "a1", "a2") + line("bob@example.org", "b"))
    door = authenticator(file)
    assert [door.authenticate(t).owner for t in ("a1", "a2", "b")] == [
        "alice", "alice", "bob@example.org",
    ]  # fmt: skip


def test_the_shared_token_stays_the_default_owner_beside_the_file(file: Path) -> None:
    write(file, "[users]\n" + line("alice", "a"))
    door = authenticator(file, AUTH_TOKEN="shared")
    assert (door.authenticate("shared").owner, door.authenticate("a").owner) == ("default", "alice")


@pytest.mark.parametrize(
    "token", [None, "", "wrong", digest("a"), 5, True, ["a"], {"t": 1}, "\ud800", b"a"]
)
def test_anything_else_is_refused(file: Path, token: object) -> None:
    write(file, "[users]\n" + line("alice", "a"))
    with pytest.raises(Unauthenticated, match=r"^Authentication failed$"):
        authenticator(file).authenticate(token)


def test_a_token_that_was_added_counts_and_one_that_was_taken_out_does_not(file: Path) -> None:
    write(file, "[users]\n" + line("alice", "old"))
    door = authenticator(file)
    write(file, "[users]\n" + line("alice", "new"))
    assert door.authenticate("new").owner == "alice"
    with pytest.raises(Unauthenticated):
        door.authenticate("old")


def test_a_change_within_one_tick_of_the_file_clock_is_seen(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged = Stamp(time.time_ns(), 100, 1)
    monkeypatch.setattr(Stamp, "of", lambda status: unchanged)
    write(file, "[users]\n" + line("alice", "old"))
    door = authenticator(file)
    write(file, "[users]\n" + line("alice", "new"))
    with pytest.raises(Unauthenticated):
        door.authenticate("old")


def test_a_file_that_does_not_change_is_not_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, "[users]\n" + line("alice", "a"))
    later = time.time_ns() + SETTLED_NS + 1
    monkeypatch.setattr("shared.user_tokens.time.time_ns", lambda: later)
    door = authenticator(file)
    monkeypatch.setattr("shared.user_tokens.read_all", lambda path: pytest.fail("read again"))
    for _ in range(3):
        assert door.authenticate("a").owner == "alice"


@pytest.mark.parametrize("text", ["[users", "[users]\nalice = ['x']\n", "", None])
def test_a_file_that_is_spoilt_later_changes_nothing_but_the_log(
    file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, "[users]\n" + line("alice", "a"))
    door = authenticator(file)
    if text is None:
        file.unlink()
    else:
        write(file, text)
    assert door.authenticate("a").owner == "alice"
    assert "tokens.unreadable" in caplog.text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[users", "is not TOML"),
        ("", "needs the table"),
        ("[users]\n[others]\n", "needs the table"),
        ("[users]\n[profiles]\nalice = []\n", "there is no user"),
        ("[users]\n[profiles]\ndefault = 'secret'\n", "a list of names"),
        ("[users]\n[profiles]\ndefault = [5]\n", "a list of names"),
        ("profiles = 5\n[users]\n", "is a table"),
        ("roles = 5\n[users]\n", "is a table"),
        ("[users]\n[roles]\nalice = 'admin'\n", "there is no user"),
        ("[users]\n[roles]\ndefault = 'secret'\n", "one of user, operator, admin"),
        ("[users]\n[roles]\ndefault = ['admin']\n", "one of user, operator, admin"),
        ("[users]\n[roles]\ndefault = 5\n", "one of user, operator, admin"),
        ("[users]\nalice = ['secret']\n", "64 hex digits"),
        ("[users]\nalice = [5]\n", "64 hex digits"),
        ("[users]\n" + line("al ice", "a"), "letters, digits"),
        ("[users]\n" + line("alice", "a") + line("bob", "a"), "of another user"),
    ],
)
def test_a_faulty_file_prevents_the_start_and_the_error_shows_none_of_it(
    file: Path, text: str, fault: str
) -> None:
    write(file, text)
    with pytest.raises(SettingsError, match=fault) as raised:
        read(file)
    assert "secret" not in str(raised.value)
    assert digest("a") not in str(raised.value)


def test_a_role_is_that_of_the_table_and_else_the_lowest(file: Path) -> None:
    users = "[users]\n" + line("alice", "a") + line("bob", "b")
    write(file, users)
    door = authenticator(file, AUTH_TOKEN="shared")
    assert [door.authenticate(t).role for t in ("a", "b", "shared")] == ["user"] * 3
    write(file, users + '[roles]\nalice = "admin"\ndefault = "operator"\n')
    assert [door.authenticate(t).role for t in ("a", "b", "shared")] == [
        "admin", "user", "operator",
    ]  # fmt: skip


def test_a_principal_is_asked_for_again_without_its_token(file: Path) -> None:
    users = "[users]\n" + line("bob", "b")
    write(file, users + line("alice", "a"))
    door = authenticator(file, AUTH_TOKEN="shared")
    alice, shared = door.authenticate("a"), door.authenticate("shared")
    assert (door.renew(alice), door.renew(shared)) == (alice, shared)
    write(file, users + line("alice", "a", "c") + '[roles]\nalice = "admin"\n')
    door.refresh()
    now = door.renew(alice)
    assert now is not None
    assert (now.owner, now.role) == ("alice", "admin")
    write(file, users + line("alice", "c"))
    door.refresh()
    assert (door.renew(alice), door.renew(shared)) == (None, shared)
    write(file, users + line("carol", "a"))
    door.refresh()
    assert door.renew(alice) is None


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602, 0o604])
def test_a_file_that_others_may_read_or_write_is_refused(file: Path, mode: int) -> None:
    write(file, "[users]\n", mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        read(file)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_file_of_the_owner_alone_or_of_a_reading_group_is_accepted(file: Path, mode: int) -> None:
    write(file, "[users]\n" + line("alice", "a"), mode)
    assert list(read(file)[0].values()) == ["alice"]


def test_disabled_authentication_and_user_tokens_exclude_each_other(file: Path) -> None:
    with pytest.raises(SettingsError, match="TOKENS_FILE"):
        authenticator(file, AUTH_DISABLED="1")


def test_the_command_prints_a_token_and_a_line_that_makes_it_valid(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = ["alice", "bob@example.org"]
    tokens, lines = {}, ["[users]"]
    for user in users:
        assert main(["token", user]) == 0
        printed = [text.strip() for text in capsys.readouterr().out.splitlines()]
        tokens[user] = printed[1]
        lines.append(printed[3])
    write(file, "\n".join(lines))
    assert [authenticator(file).authenticate(tokens[user]).owner for user in users] == users
    assert len(new_token()) > 40


def test_the_command_refuses_a_name_that_the_file_would_not_take(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["token", "no such name"]) == 1
    assert "letters, digits" in capsys.readouterr().err


def test_the_doctor_counts_users_and_names_a_faulty_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOKENS_FILE", str(file))
    monkeypatch.setenv("HOLDFAST_HOME", str(file.parent / "home"))
    write(file, "[users]\n" + line("alice", "a", "b") + line("bob", "c"))
    main(["doctor"])
    assert "2 with 3 tokens" in capsys.readouterr().out
    write(file, "[users]\n", 0o644)
    assert main(["doctor"]) == 1
    assert "chmod 600" in capsys.readouterr().out
