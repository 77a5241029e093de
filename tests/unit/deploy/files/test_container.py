"""The Dockerfile: what a linter would look for, and that it copies what there is."""

import re
import shlex
import subprocess

import pytest

from tests.support.dockerfile import Ignored, instructions, stages
from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "container"
TEXT = (FOLDER / "Dockerfile").read_text("utf-8")
SHIPPED = stages(TEXT)[-1]
IGNORED = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8")
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


def final(name: str) -> list[str]:
    """The arguments of these instructions in the stage that is shipped."""
    return [rest for instruction, rest in SHIPPED.steps if instruction == name]


def test_only_known_instructions_are_used() -> None:
    assert {name for name, _ in instructions(TEXT)} <= KNOWN


@pytest.mark.parametrize("image", [stage.base for stage in stages(TEXT)])
def test_a_base_has_a_version_and_a_distribution(image: str) -> None:
    name, _, tag = image.partition(":")
    assert re.fullmatch(r"\d+\.\d+-(slim-)?bookworm(-slim)?", tag), image
    assert "/" not in name, "a well-known name, no host of a registry"


def test_the_image_runs_as_a_user_without_rights_and_known_by_number() -> None:
    assert final("USER") == ["10001:10001"]
    after = SHIPPED.steps[[name for name, _ in SHIPPED.steps].index("USER") :]
    assert not [one for one in after if one[0] in {"RUN", "COPY"}]


def test_the_image_is_asked_for_its_health_without_a_shell() -> None:
    (check,) = final("HEALTHCHECK")
    assert 'CMD ["holdfast", "probe", "live"]' in check
    assert final("ENTRYPOINT") == ['["holdfast"]']
    assert final("CMD") == ['["web"]']


def test_packages_come_from_lock_files_with_hashes() -> None:
    installs = [
        command
        for name, rest in instructions(TEXT)
        if name == "RUN"
        for command in rest.split("&&")
        if re.search(r"\bpip install\b|\bnpm (i|install|ci)\b", command)
    ]
    assert len(installs) == 4
    for command in installs:
        assert re.search(r"--require-hashes|--no-deps /wheel|npm ci", command), command


def test_no_secret_is_built_in() -> None:
    for name, rest in instructions(TEXT):
        assert not re.search(r"(?i)(token|password|secret|api_key)\s*=", rest), (name, rest)


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    ignored = IGNORED.splitlines()
    assert ignored[1] == "*", "nothing but what is named"
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    for name, rest in instructions(TEXT):
        words = shlex.split(rest)
        if name == "COPY" and not words[0].startswith("--from="):
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in allowed, source


def test_all_code_reaches_the_builder_and_nothing_that_was_built() -> None:
    ignored = Ignored(IGNORED)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tracked = listed.stdout.splitlines()
    packages = ("shared/", "worker/", "web/", "deploy/")
    code = [path for path in tracked if path.startswith(packages)]
    assert len(code) > 500
    assert [path for path in code if path in ignored] == []
    away = ["web/pages/built/index.html", "web/pages/built.1/x.js", "tests/conftest.py", ".env"]
    away += ["web/ui/node_modules/a/b.js", "shared/db/__pycache__/x.pyc", ".git/config"]
    assert [path for path in away if path not in ignored] == []


def test_the_build_tools_are_not_in_the_image() -> None:
    copied = [rest for rest in final("COPY") if rest.startswith("--from=")]
    assert copied == ["--from=environment /opt/holdfast /opt/holdfast"]
