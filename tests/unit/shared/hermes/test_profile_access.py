"""Users who are limited to some profiles (A14)."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnknownProfile
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from shared.user_tokens import OTHERS, SHARED_OWNER, UserFile, digest

USERS = "".join(f'{name} = "{digest(name)}"\n' for name in ("alice", "bob", "carol"))
Write = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


@pytest.fixture
def write(file: Path) -> Write:
    def write(limits: str, users: str = USERS) -> None:
        draft = file.with_suffix(".new")
        draft.write_text(f"[users]\n{users}{limits}")
        draft.chmod(0o600)
        draft.replace(file)

    return write


@pytest.fixture
def profiles(file: Path, tmp_path: Path) -> Profiles:
    more = tmp_path / "profiles.toml"
    more.write_text('[profiles.work]\nurl = "http://h:1"\n[profiles.play]\nurl = "http://h:2"\n')
    places = {"PROFILES_FILE": str(more), "HERMES_HOME": str(tmp_path / "none")}
    return Profiles.load(Settings.load({**places, "TOKENS_FILE": str(file)}))


def allowed(profiles: Profiles, owner: str) -> list[str]:
    get = profiles.getter_for(owner)
    found = []
    for name in profiles.names():
        with suppress(UnknownProfile):
            found.append(get(name).name)
    return found


ALL = ["default", "play", "work"]


def test_without_limits_everybody_uses_everything(write: Write, profiles: Profiles) -> None:
    write("")
    assert [allowed(profiles, owner) for owner in ("alice", SHARED_OWNER, "gone")] == [ALL] * 3


def test_only_those_who_are_named_are_limited(write: Write, profiles: Profiles) -> None:
    write('[profiles]\nalice = ["work", "nowhere"]\nbob = []\n')
    assert allowed(profiles, "alice") == ["work"]
    assert allowed(profiles, "bob") == []
    assert allowed(profiles, "carol") == allowed(profiles, SHARED_OWNER) == ALL


def test_a_star_is_everybody_else(write: Write, profiles: Profiles) -> None:
    write('[profiles]\nalice = ["work"]\n"*" = ["default"]\n')
    assert allowed(profiles, "alice") == ["work"]
    assert allowed(profiles, "carol") == allowed(profiles, SHARED_OWNER) == ["default"]


def test_a_profile_that_is_not_allowed_looks_like_one_that_does_not_exist(
    write: Write, profiles: Profiles
) -> None:
    write('[profiles]\nalice = ["default"]\n')
    said = []
    for name in ("work", "worx"):
        with pytest.raises(UnknownProfile) as caught:
            profiles.getter_for("alice")(name)
        said.append(str(caught.value).replace(name, "NAME"))
    assert said[0] == said[1]


def test_a_change_counts_for_the_next_run(write: Write, profiles: Profiles) -> None:
    write('[profiles]\nalice = ["default"]\n')
    assert allowed(profiles, "alice") == ["default"]
    write('[profiles]\nalice = ["work"]\n')
    assert allowed(profiles, "alice") == ["work"]


def test_a_faulty_file_changes_nothing_and_lets_nobody_in(
    write: Write, profiles: Profiles, file: Path
) -> None:
    assert allowed(profiles, "alice") == []  # there was none yet
    write('[profiles]\nalice = ["default"]\n')
    assert allowed(profiles, "alice") == ["default"]
    write("[profiles")
    assert allowed(profiles, "alice") == ["default"]
    file.unlink()
    assert allowed(profiles, "alice") == ["default"]
    assert allowed(profiles, "new") == []


def test_who_was_removed_from_a_file_with_limits_uses_nothing(
    write: Write, profiles: Profiles
) -> None:
    write('[profiles]\nbob = ["default"]\n', users=f'bob = "{digest("bob")}"\n')
    assert allowed(profiles, "alice") == []


def test_users_with_jwts_are_those_that_the_star_stands_for(
    write: Write, file: Path, tmp_path: Path
) -> None:
    environ = {"TOKENS_FILE": str(file), "HERMES_HOME": str(tmp_path / "none")}
    both = Profiles.load(Settings.load({**environ, "JWT_SECRET": "s" * 32}))
    write("[profiles]\nbob = []\n")
    assert allowed(both, "auth0|carol") == ["default"]
    write('[profiles]\n"*" = []\n')
    assert allowed(both, "auth0|carol") == []


names = st.sampled_from(["alice", "bob", SHARED_OWNER, "stranger"])
limits = st.dictionaries(
    st.sampled_from(["alice", "bob", SHARED_OWNER, OTHERS]),
    st.frozensets(st.sampled_from(ALL)),
)


@given(names, st.sampled_from(ALL), limits)
def test_a_limit_is_never_wider_than_what_is_written(
    owner: str, profile: str, limited: dict[str, frozenset[str]]
) -> None:
    file = UserFile({"1": "alice", "2": "bob"}, limited)
    if file.may_use(owner, profile) and owner in limited:
        assert profile in limited[owner]
    if file.may_use(owner, profile) and OTHERS in limited:
        assert profile in limited.get(owner, limited[OTHERS])


def test_without_a_file_of_users_there_are_no_limits(tmp_path: Path) -> None:
    everything = Profiles.load(Settings.load({"HERMES_HOME": str(tmp_path / "none")}))
    assert everything.getter_for("anybody")("default").name == "default"
