"""Carries out the steps of the Dockerfile on bare roots: it knows what each instruction means."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.image.root import Root, bare
from tests.support.dockerfile import Ignored, Stage, stages
from tests.support.paths import ROOT

FOLDER: Final = ROOT / "deploy" / "container"
PAGE: Final = ROOT / "web" / "pages" / "built"  # what the stage `page` makes, by the same commands


@dataclass(frozen=True)
class Image:
    """What is shipped: its root, and how processes in it are started."""

    root: Root
    user: str
    entrypoint: tuple[str, ...]
    home: str


def build(base: Path, into: Path, say: Callable[[str], None]) -> Image:
    """Build the image on copies of `base` in the folder `into`. The stage of the page is not
    carried out, since its Node is not that of Debian: the page of this checkout stands for it."""
    bare(base)
    made: dict[str, Root] = {}
    found = stages((FOLDER / "Dockerfile").read_text("utf-8"))
    for stage in found:
        if stage.name != "page":
            say(f"stage {stage.name or 'that is shipped'}")
            made[stage.name] = _carried_out(stage, base, into / (stage.name or "shipped"), made)
    named = dict(found[-1].steps)
    home = made[""].environment["HOLDFAST_HOME"]
    return Image(made[""], named["USER"], tuple(json.loads(named["ENTRYPOINT"])), home)


def _carried_out(stage: Stage, base: Path, folder: Path, made: Mapping[str, Root]) -> Root:
    root = Root.like(base, folder)
    for name, rest in stage.steps:
        if name == "RUN":
            root.run(rest)
        elif name == "WORKDIR":
            root.work = rest
            root.inside("").mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            pairs = (word.partition("=") for word in shlex.split(rest))
            path = root.environment["PATH"]
            root.environment |= {key: value.replace("$PATH", path) for key, _, value in pairs}
        elif name == "COPY":
            _copy(root, shlex.split(rest), made)
    return root


def _copy(root: Root, words: list[str], made: Mapping[str, Root]) -> None:
    """Files go below the target where it ends in a slash; folders give what is in them."""
    source = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    target = root.inside(words[-1])
    if source == "page":
        shutil.copytree(PAGE, target, dirs_exist_ok=True)
        return
    for word in words[:-1]:
        if source is not None:
            shutil.copytree(made[source].inside(word), target, symlinks=True, dirs_exist_ok=True)
        elif (ROOT / word).is_dir():
            _copy_folder(ROOT / word, target)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / word, target)


def _copy_folder(folder: Path, target: Path) -> None:
    ignored = Ignored((FOLDER / "Dockerfile.dockerignore").read_text("utf-8"))

    def stay(at: str, names: list[str]) -> list[str]:
        place = Path(at).relative_to(ROOT)
        return [name for name in names if str(place / name) in ignored]

    shutil.copytree(folder, target, ignore=stay, dirs_exist_ok=True)
