"""All that will be done, drawn from one seed: prompts with scripts, faults with times."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.faults.base import Fault
from tests.chaos.faults.catalog import CLASSES

RUNS_PER_MINUTE = 103  # some prompts are refused or sent twice
FAULTS_PER_MINUTE = 10
RUNS_PER_SESSION = 25

# How often each kind of act is drawn.
ACTS = {
    "old": 30,
    "modern": 25,
    "queued": 12,
    "abort": 10,
    "interrupt": 6,
    "double": 7,
    "reload": 12,
    "resumes": 6,
}
PROMPTS = {"queued": 2, "interrupt": 2}


@dataclass(frozen=True)
class Prompt:
    """A message whose script makes every token of the answer unique."""

    tag: str
    script: dict[str, Any]

    @property
    def text(self) -> str:
        """What the person sends."""
        return f"[[demo {json.dumps(self.script)}]] please"


@dataclass(frozen=True)
class Act:
    """What a person does at `at` seconds; `after`: seconds until the second half of it."""

    at: float
    kind: str
    prompts: list[Prompt]
    after: float


@dataclass(frozen=True)
class Plan:
    """Everything. `faults`: with the second at which each is injected."""

    seed: int
    seconds: float
    database: str
    sessions: dict[str, list[Act]] = field(default_factory=dict)
    faults: list[tuple[float, Fault]] = field(default_factory=list)

    @property
    def runs(self) -> int:
        """How many prompts are sent."""
        return sum(len(act.prompts) for acts in self.sessions.values() for act in acts)


def draw(
    seed: int, seconds: float, database: str, runs: int = 0, faults: int = 0, warm_up: float = 5
) -> Plan:
    """The plan of a seed. `runs`, `faults`: how many; at least; by default what `seconds`
    have room for."""
    rng = random.Random(seed)
    wanted = runs or max(20, round(RUNS_PER_MINUTE * seconds / 60))
    count = min(60, max(10, wanted // RUNS_PER_SESSION))
    plan = Plan(seed, seconds, database)
    for number in range(count):
        share = wanted // count + (number < wanted % count)
        plan.sessions[f"s{number}"] = _acts(rng, f"s{number}", share, seconds)
    number_of_faults = faults or round(FAULTS_PER_MINUTE * seconds / 60)
    plan.faults.extend(_faults(rng, number_of_faults, seconds, database, warm_up))
    return plan


def _acts(rng: random.Random, session: str, prompts: int, seconds: float) -> list[Act]:
    acts: list[Act] = []
    made = 0
    while made < prompts:
        kind = rng.choices(list(ACTS), weights=list(ACTS.values()))[0]
        count = min(PROMPTS.get(kind, 1), prompts - made)
        chosen = [_prompt(rng, f"{session}x{made + n}", kind) for n in range(count)]
        made += count
        acts.append(Act(seconds * (made - count) / prompts, kind, chosen, rng.uniform(0.1, 2.0)))
    shift = rng.uniform(0, seconds / max(1, prompts))
    return [Act(a.at + shift, a.kind, a.prompts, a.after) for a in acts]


def _prompt(rng: random.Random, tag: str, kind: str) -> Prompt:
    tokens = rng.choice([10, 30, 60, 60, 100, 250])
    script: dict[str, Any] = {
        "text": f"{tag}.{{n}};",
        "tokens": tokens,
        "rate": rng.choice([15, 30, 40]),
        "session_delay": rng.choice([0, 0.15, 0.6]),
    }
    if kind == "abort":
        script["stop_delay"] = rng.choice([0, 0.05, 1.0])
    if rng.random() < 0.3:
        script["reasoning"] = rng.choice([3, 15])
    if rng.random() < 0.3:
        script["tools"] = [
            {"after": rng.randrange(tokens + 1), "name": f"tool{n}", "output": f"{tag}-out{n}"}
            | {"seconds": rng.choice([0, 0.3, 1.0])}
            for n in range(rng.choice([1, 2]))
        ]
        script["tools"].sort(key=lambda tool: tool["after"])
    if rng.random() < 0.1:
        script["first_delay"] = rng.choice([0.5, 2])
    return Prompt(tag, script)


def _faults(
    rng: random.Random, count: int, seconds: float, database: str, warm_up: float
) -> list[tuple[float, Fault]]:
    """Every class once, in any order, then more of them by weight; `count` if that is more."""
    usable = [c for c in CLASSES if c.database in ("", database)]
    chosen = rng.sample(usable, len(usable))
    more = max(0, count - len(chosen))
    chosen += rng.choices(usable, weights=[c.weight for c in usable], k=more)
    step = (seconds - warm_up) / len(chosen)
    return [
        (warm_up + step * (n + rng.uniform(0, 0.8)), kind(rng)) for n, kind in enumerate(chosen)
    ]
