"""Which Node builds the page."""

from pathlib import Path

import pytest

from deploy.page import node


def programs(folder: Path, version: str) -> str:
    """A folder with a `node` that says it is of that version, and an `npm`."""
    folder.mkdir()
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("version", ["v20.19.0", "v24.1.3"])
def test_the_systems_node_is_taken_if_it_is_new_enough(tmp_path: Path, version: str) -> None:
    search = programs(tmp_path / "bin", version)
    assert node.system_node(search) == node.Node(tmp_path / "bin")


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.3", "nonsense"])
def test_an_old_node_is_not_taken(tmp_path: Path, version: str) -> None:
    assert node.system_node(programs(tmp_path / "bin", version)) is None


def test_a_packaged_node_that_is_there_is_not_installed_again(tmp_path: Path) -> None:
    version = node.LOCK.read_text().split("==")[1].split()[0]
    folder = tmp_path / f"node-{version}" / "bin"
    folder.mkdir(parents=True)
    (folder / "npm").touch()
    assert node.find_node(tmp_path, search=str(tmp_path)) == node.Node(folder)


def test_npm_finds_the_same_node_first() -> None:
    found = node.Node(Path("/x/bin")).environment({"PATH": "/usr/bin", "A": "b"})
    assert found == {"PATH": "/x/bin:/usr/bin", "A": "b"}
