"""The page is built when its source has changed, and only then."""

from pathlib import Path

import pytest

from deploy.page import build


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "ui"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text("one")
    return folder


def test_the_same_source_has_the_same_hash(source: Path) -> None:
    before = build.source_hash(source)
    (source / "src" / "main.ts").touch()
    assert build.source_hash(source) == before


@pytest.mark.parametrize("change", ["content", "name", "new file"])
def test_any_change_of_the_source_changes_the_hash(source: Path, change: str) -> None:
    before = build.source_hash(source)
    file = source / "src" / "main.ts"
    if change == "content":
        file.write_text("two")
    elif change == "name":
        file.rename(file.with_name("other.ts"))
    else:
        (source / "more.css").write_text("")
    assert build.source_hash(source) != before


def test_packages_are_no_source(source: Path) -> None:
    before = build.source_hash(source)
    (source / "node_modules").mkdir()
    (source / "node_modules" / "a.js").write_text("")
    assert build.source_hash(source) == before


def test_a_page_is_current_if_it_was_built_from_this_source(tmp_path: Path) -> None:
    assert not build.is_current(tmp_path, "hash")
    (tmp_path / build.STAMP).write_text("hash")
    assert build.is_current(tmp_path, "hash")
    assert not build.is_current(tmp_path, "another")
