"""The guards of the reliability tests: a mechanism, its tests, and how to switch it off.

They are in the TOML files of this folder, one for each area; docs/RELIABILITY.md has the format.
"""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

FOLDER = Path(__file__).parent

RULES = tuple(f"R{n}" for n in range(1, 37))
ROWS = tuple(f"W{n}" for n in range(1, 15))
FAILURES = tuple(f"F{n}" for n in (*range(1, 24), *range(28, 36)))
MUST = (*RULES, *ROWS, *FAILURES)
ALSO = ("F24", "F25", "F26", "F27", "W15", "W16")  # may be named, need not


@dataclass(frozen=True)
class Guard:
    """One mechanism; `replace` instead of `find` in `file` switches it off."""

    id: str
    covers: tuple[str, ...]
    says: str
    tests: tuple[str, ...]
    file: str
    find: str
    replace: str
    timeout_is_red: bool = False

    def applied(self, text: str) -> str:
        """The text of `file` without the mechanism. ValueError unless `find` is there once."""
        if text.count(self.find) != 1:
            raise ValueError(f"{self.id}: found {text.count(self.find)} times in {self.file}")
        return text.replace(self.find, self.replace)


def load(folder: Path = FOLDER) -> list[Guard]:
    """All guards, in the order of the files. Raises ValueError for a field too many or few."""
    return [
        _guard(path, entry)
        for path in sorted(folder.glob("*.toml"))
        for entry in tomllib.loads(path.read_text("utf-8")).get("guard", [])
    ]


def _guard(path: Path, entry: dict[str, object]) -> Guard:
    known = {field.name for field in fields(Guard)}
    wrong = [*(known - {"timeout_is_red"} - {*entry}), *({*entry} - known)]
    if wrong:
        raise ValueError(f"{path.name}: {entry.get('id')}: {sorted(wrong)}")
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in entry.items()}
    return Guard(**values)  # type: ignore[arg-type]


def chosen(guards: Sequence[Guard], wanted: Iterable[str]) -> list[Guard]:
    """Select guards by id or cover; without `wanted`, all of them. Raises ValueError."""
    names = {*wanted}
    unknown = names - {g.id for g in guards} - {c for g in guards for c in g.covers}
    if unknown:
        raise ValueError(f"no guard has the id, or covers: {', '.join(sorted(unknown))}")
    return [g for g in guards if not names or names & {g.id, *g.covers}]


def faults(guards: Sequence[Guard], root: Path = ROOT) -> list[str]:
    """Check each guard; one line for each fault."""
    found = [f"{name}: twice" for name, count in Counter(g.id for g in guards).items() if count > 1]
    for guard in guards:
        found += [f"{guard.id}: covers {c}" for c in guard.covers if c not in (*MUST, *ALSO)]
        found += [f"{guard.id}: no test {t}" for t in guard.tests if not exists(t, root)]
        found += [f"{guard.id}: {name} is empty" for name in _empty(guard)]
        try:
            guard.applied((root / guard.file).read_text("utf-8"))
        except (OSError, ValueError) as error:
            found.append(str(error))
    return found


def uncovered(guards: Sequence[Guard]) -> list[str]:
    """Rules, rows and failures that no guard covers."""
    covered = {c for guard in guards for c in guard.covers}
    return [name for name in MUST if name not in covered]


def exists(test: str, root: Path = ROOT) -> bool:
    """Whether the node id names a test function."""
    path, _, name = test.partition("::")
    return name.partition("[")[0].replace("::", ".") in _functions(root / path)


@cache
def _functions(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
    return frozenset(names)


def _empty(guard: Guard) -> list[str]:
    return [name for name in ("covers", "says", "tests", "find") if not getattr(guard, name)]
