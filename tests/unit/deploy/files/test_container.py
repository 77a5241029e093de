"""The Dockerfile: what a linter would look for, and that it copies what there is."""

import re
import shlex
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "container"
TEXT = (FOLDER / "Dockerfile").read_text("utf-8")
KNOWN = {
    "FROM",
    "RUN",
    "COPY",
    "WORKDIR",
    "ENV",
    "LABEL",
    "USER",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


def instructions() -> Iterator[tuple[str, str]]:
    """Instruction and arguments, in order, with continued lines joined."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage."""
    found: list[list[tuple[str, str]]] = []
    for one in instructions():
        if one[0] == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def final(name: str) -> list[str]:
    """The arguments of these instructions in the stage that is shipped."""
    return [rest for instruction, rest in stages()[-1] if instruction == name]


def test_only_known_instructions_are_used() -> None:
    assert {name for name, _ in instructions()} <= KNOWN


@pytest.mark.parametrize("base", [rest for name, rest in instructions() if name == "FROM"])
def test_a_base_has_a_version_and_a_distribution(base: str) -> None:
    image = next(word for word in base.split() if not word.startswith("--"))
    name, _, tag = image.partition(":")
    assert re.fullmatch(r"\d+\.\d+-(slim-)?bookworm(-slim)?", tag), image
    assert "/" not in name, "a well-known name, no host of a registry"


def test_the_image_runs_as_a_user_without_rights_and_known_by_number() -> None:
    assert final("USER") == ["10001:10001"]
    after = stages()[-1][[name for name, _ in stages()[-1]].index("USER") :]
    assert not [one for one in after if one[0] in {"RUN", "COPY"}]


def test_the_image_is_asked_for_its_health_without_a_shell() -> None:
    (check,) = final("HEALTHCHECK")
    assert 'CMD ["holdfast", "probe", "live"]' in check
    assert final("ENTRYPOINT") == ['["holdfast"]']
    assert final("CMD") == ['["web"]']


def test_packages_come_from_lock_files_with_hashes() -> None:
    installs = [
        command
        for name, rest in instructions()
        if name == "RUN"
        for command in rest.split("&&")
        if re.search(r"\bpip install\b|\bnpm (i|install|ci)\b", command)
    ]
    assert len(installs) == 4
    for command in installs:
        assert re.search(r"--require-hashes|--no-deps /wheel|npm ci", command), command


def test_no_secret_is_built_in() -> None:
    for name, rest in instructions():
        assert not re.search(r"(?i)(token|password|secret|api_key)\s*=", rest), (name, rest)


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert ignored[1] == "*", "nothing but what is named"
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    for name, rest in instructions():
        words = shlex.split(rest)
        if name == "COPY" and not words[0].startswith("--from="):
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in allowed, source


def test_the_build_tools_are_not_in_the_image() -> None:
    copied = [rest for rest in final("COPY") if rest.startswith("--from=")]
    assert copied == ["--from=environment /opt/holdfast /opt/holdfast"]
