"""The page's types of the HTTP API say what its models say."""

import pytest
from pydantic import BaseModel

from web.api.http import typescript


def test_the_file_is_the_one_that_the_code_generates() -> None:
    assert typescript.main(["--check"]) == 0, "stale: python -m web.api.http.typescript"


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class More(BaseModel):
        names: list[str | None]
        pair: tuple[int, float] | None = None

    monkeypatch.setattr(typescript, "_ANSWERS", (*typescript._ANSWERS, More))
    assert typescript.main(["--check"]) == 1
    shown = "  names: (string | null)[];\n  pair: [number, number] | null;\n"
    assert f"export interface More {{\n{shown}}}" in typescript.source().replace("pair?", "pair")
