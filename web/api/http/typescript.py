"""The types of the HTTP API that the page uses, made from the models of its routes.

    python -m web.api.http.typescript [--check]

Without `--check` it writes the file; with it, it fails if the file is not what it would write.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.generated_file import write_or_check
from web.api.http.gateway.models import ProfileList
from web.api.http.operations import answers as operations
from web.api.http.operations.me import Me
from web.api.http.operations.runs_page import answers as runs_page
from web.api.http.operations.timeline_answers import RunTimeline
from web.api.http.sessions import session_answers as answers
from web.api.http.sessions import session_models as models

FILE: Final = Path(__file__).parents[3] / "web/ui/src/client/api.generated.ts"

_HEAD: Final = """\
// Generated from the models of web/api/http; do not edit. To renew it:
// python -m web.api.http.typescript
"""
_ANSWERS: Final[tuple[type[BaseModel], ...]] = (
    answers.DeletedSession,
    answers.MessageList,
    Me,
    ProfileList,
    answers.SessionAnswer,
    answers.SessionList,
    operations.DeletionPage,
    operations.QueueReport,
    operations.RetriedDeletions,
    operations.RetriedRun,
    operations.RunPage,
    runs_page.RunCountsReport,
    runs_page.RunLogPage,
    runs_page.RunStatsReport,
    runs_page.StoppedByAdmin,
    RunTimeline,
)
_BODIES: Final[tuple[type[BaseModel], ...]] = (models.SessionChangesBody,)
_PRIMITIVE: Final = {
    "boolean": "boolean",
    "integer": "number",
    "null": "null",
    "number": "number",
    "string": "string",
}
Schema = Mapping[str, Any]


def source() -> str:
    """Return the file, in TypeScript."""
    _, definitions = models_json_schema(
        [
            *((model, "serialization") for model in _ANSWERS),
            *((model, "validation") for model in _BODIES),
        ]
    )
    schemas: dict[str, Schema] = definitions["$defs"]
    return "\n".join([_HEAD, *(_declaration(name, schemas[name]) for name in sorted(schemas))])


def main(arguments: Sequence[str]) -> int:
    """Write the file or check it; return the exit code."""
    return write_or_check(FILE, source(), "web.api.http.typescript", arguments)


def _declaration(name: str, schema: Schema) -> str:
    meaning = " ".join(str(schema.get("description", "")).split())
    comment = f"/** {meaning} */\n" if meaning else ""
    if "enum" in schema:
        return f"{comment}export type {name} = {_type(schema)};\n"
    needed = schema.get("required", [])
    rows = "".join(
        f"  {field}{'' if field in needed else '?'}: {_type(of)};\n"
        for field, of in schema.get("properties", {}).items()
    )
    return f"{comment}export interface {name} {{\n{rows}}}\n"


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(_literal(value) for value in values)
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type(one) for one in schema['prefixItems'])}]"
        return f"({_type(schema.get('items', {}))})[]"
    if schema.get("type") == "object":
        return "Record<string, unknown>"
    return _PRIMITIVE.get(str(schema.get("type")), "unknown")


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
