"""No secret and no address of this workplace is in the files of the repository."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

# What secrets look like that somebody else gave out: they are never an example.
SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"),
    "a key of a cloud": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}\b"),
    "a token of a forge": re.compile(
        r"\bgh[pousr]_\w{36}\b|\bgithub_pat_\w{50}|\bglpat-[\w-]{20}\b"
    ),
    "a key of a model": re.compile(r"\bsk-(?:ant-|proj-)[\w-]{20,}"),
    "a token of a chat": re.compile(r"\bxox[baprs]-\w{10,}-\w{10,}"),
    "a token of a registry": re.compile(r"\bnpm_\w{36}\b|\bpypi-AgEI\w{30}"),
    "a password in a URL": re.compile(
        r"\b\w+://[\w.-]+:(?!\*|\.\.\.|…|\$|\{)[^\s:@/{}$%<>]{12,}@[\w-]+\.[a-z]{2,}"
    ),
}
TEXT_OF_OTHERS = {".lock", ".svg", ".xz", ".png", ".json"}


def files() -> Iterator[Path]:
    """The files that git knows, without those that programs wrote."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listed.rstrip("\0").split("\0"):
        path = ROOT / name
        if path.suffix not in TEXT_OF_OTHERS and path.is_file():
            yield path


def found_in(text: str) -> list[str]:
    return [name for name, pattern in SECRETS.items() if pattern.search(text)]


def test_no_file_has_a_secret() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    found = {path.name: found_in(path.read_text("utf-8", "replace")) for path in files()}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----\n" + "A" * 64,
        "AKIA" + "A1B2C3D4E5F6G7H8",
        "ghp_" + "a1" * 18,
        "sk-ant-" + "api03-abcdefghijklmnop",
        "npm_" + "a1" * 18,
        "postgresql://holdfast:" + "correcthorsebattery@db.example.org/holdfast",
    ],
)
def test_a_secret_would_be_found(secret: str) -> None:
    assert found_in(f"x = '{secret}'")
