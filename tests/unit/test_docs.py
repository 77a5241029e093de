"""The documents name what is there: settings with their defaults, files, decisions."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.support.paths import ROOT

OWN_FOLDERS = ("web", "worker", "shared", "deploy", "tests", "docs")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>.*?) \|", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"`(?P<path>(?:web|worker|shared|deploy|tests|docs)/[\w./-]*\w)`")
PLACED = re.compile(
    r"`(?:\w+\.)*(?P<name>\w+)`(?:,| in| \()\s*"
    r"`(?P<path>(?:web|worker|shared|deploy|tests)/[\w/]+\.py)`"
)
DECISION = re.compile(r"(?:docs/)?adr/(?P<number>\d{4})")
EVENT = re.compile(r"`(?P<event>[a-z_]+\.[a-z_]+)(?: [^`]*)?`")
QUESTION = re.compile(
    r"^\| (?P<number>\d+) \| (?P<question>Where .+\?) \| (?P<answer>.+) \|$", re.MULTILINE
)
RULE_CITED = re.compile(r"\b(?P<rule>[RP][1-9]\d?)\b")
RULE_STATED = re.compile(r"^\| (?P<rule>[RP][1-9]\d?) \|", re.MULTILINE)


class Recording(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return default


def documented() -> dict[str, str]:
    """Variable -> the cell with its default, from the tables of docs/SETTINGS.md."""
    page = (ROOT / "docs" / "SETTINGS.md").read_text("utf-8").partition("## Read by others")[0]
    return {row["name"]: row["default"] for row in ROW.finditer(page)}


def code_of_the_processes() -> str:
    """All the code of the running processes, in which the names of log events and events are."""
    folders = ("web", "worker", "shared", "deploy")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return "\n".join(path.read_text("utf-8") for path in files)


def sources() -> Iterator[Path]:
    """The project's own files that may cite rules and decisions."""
    for folder in OWN_FOLDERS:
        for pattern in ("*.py", "*.lua", "*.md"):
            yield from (ROOT / folder).rglob(pattern)
    yield from ROOT.glob("*.md")
    yield ROOT / "pyproject.toml"


def test_the_settings_page_names_every_variable_that_is_read_and_no_other() -> None:
    environ = Recording()
    Settings.load(environ)
    assert set(documented()) == environ.asked


def test_the_settings_page_gives_every_default_as_it_is() -> None:
    defaults = {name: cell.strip("`") for name, cell in documented().items() if cell[0] == "`"}
    # With HERMES_URL named in so many words, the Hermes home has no say about it any more.
    found = replace(Settings.load(defaults), hermes_url_given=False)
    assert found == Settings.load({})


def test_a_setting_without_a_value_in_the_page_has_none_in_the_code() -> None:
    without = {name for name, cell in documented().items() if cell == "not set"}
    settings = Settings.load({})
    found = {name: getattr(settings, name.lower()) for name in without}
    assert not any(found.values()), found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = CODE_BLOCK.sub("", page.read_text("utf-8"))
    targets = [link["target"].partition("#")[0] for link in LINK.finditer(text)]
    own = [target for target in targets if target and "://" not in target]
    missing = [target for target in own if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = CODE_BLOCK.sub("", page.read_text("utf-8"))
    named = {found["path"] for found in FILE_NAME.finditer(text)}
    assert not sorted(path for path in named if not (ROOT / path).exists())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_that_a_page_places_in_a_file_is_there(page: Path) -> None:
    text = CODE_BLOCK.sub("", page.read_text("utf-8"))
    placed = [(found["name"], found["path"]) for found in PLACED.finditer(text)]
    missing = [
        f"{name} in {path}"
        for name, path in placed
        if not re.search(rf"\b{name}\b", (ROOT / path).read_text("utf-8"))
    ]
    assert not missing


def test_the_architecture_answers_its_questions_with_files_that_exist() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    section = page.partition("\n## Where is …?\n")[2].partition("\n## ")[0]
    rows = [*QUESTION.finditer(section)]
    assert [int(row["number"]) for row in rows] == [*range(1, len(rows) + 1)]
    assert len({row["question"] for row in rows}) == len(rows) >= 20
    for row in rows:
        files = re.findall(r"`([\w./]+)`", row["answer"])
        assert files, row["question"]
        assert all((ROOT / file).is_file() for file in files), row["question"]


def test_every_event_that_the_runbook_names_is_in_the_code() -> None:
    page = (ROOT / "docs" / "RUNBOOK.md").read_text("utf-8")
    named = {found["event"] for found in EVENT.finditer(page)}
    code = code_of_the_processes()
    assert named
    # Some log lines put the outcome into the name: `approval.%s`.
    missing = [
        event
        for event in sorted(named)
        if not re.search(rf'"{re.escape(event)}["\s]', code)
        and f'"{event.partition(".")[0]}.%s ' not in code
    ]
    assert not missing


def test_every_decision_that_is_cited_is_written_down() -> None:
    written = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")}
    cited = {
        found["number"]
        for path in sources()
        for found in DECISION.finditer(path.read_text("utf-8"))
    }
    assert cited <= written


def test_every_decision_has_its_parts() -> None:
    for path in sorted((ROOT / "docs" / "adr").glob("*.md")):
        text = path.read_text("utf-8")
        for part in ("Status", "Context", "Decision", "Alternatives refused", "Consequences"):
            assert f"\n## {part}\n" in text, f"{path.name}: {part}"


def test_every_rule_that_is_cited_is_stated() -> None:
    pages = [ROOT / "docs" / name for name in ("RULES.md", "PARITY.md")]
    stated = {
        rule["rule"] for page in pages for rule in RULE_STATED.finditer(page.read_text("utf-8"))
    }
    cited = {
        found["rule"]
        for path in sources()
        if path.suffix in {".py", ".lua"} and "golden" not in path.parts
        for found in RULE_CITED.finditer(path.read_text("utf-8"))
    }
    assert cited <= stated
