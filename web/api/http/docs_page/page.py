"""The page, made from the OpenAPI document. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from web.api.http.docs_page.schemas import Field, Part, Schema, field, fields_of, type_of

Document = Mapping[str, Any]

NOT_DONE: Final = "Not done here"
GATEWAY: Final = "The gateway"
_OF_THE_GATEWAY: Final = ("models", "capabilities", "skills", "toolsets", "profiles")
_TEMPLATES: Final = Environment(
    loader=PackageLoader("web.api.http.docs_page", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Answer:
    """One status. `type`: of the body; empty for a stream."""

    status: str
    meaning: str
    type: list[Part]


@dataclass(frozen=True)
class Operation:
    """A method of a path. `parameters`: by where they stand. `body`: its fields."""

    id: str
    method: str
    path: str
    summary: str
    public: bool
    parameters: list[tuple[str, list[Field]]]
    body: list[Field]
    body_meaning: str
    answer: Answer
    errors: list[Answer]
    example: str


@dataclass(frozen=True)
class Model:
    """An object that answers or bodies have."""

    name: str
    meaning: str
    fields: list[Field]


def page(document: Document) -> str:
    """The HTML of the document."""
    template = _TEMPLATES.get_template("page.html")
    groups = _groups(document)
    return template.render(
        info=document["info"],
        groups=groups,
        not_done=NOT_DONE,
        models=_models(document),
        errors=_errors(document),
        servers=document.get("servers", []),
    )


def _groups(document: Document) -> list[tuple[str, list[Operation]]]:
    """Operations by the first word of their paths; those that are refused come last."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            operation = _operation(document, path, method, described)
            name = NOT_DONE if operation.answer.status == "501" else _group(path)
            found.setdefault(name, []).append(operation)
    rest = found.pop(NOT_DONE, None)
    return [*found.items(), *([(NOT_DONE, rest)] if rest else [])]


def _group(path: str) -> str:
    words = [word for word in path.split("/") if word and word not in ("v1", "api")]
    return GATEWAY if words[0] in _OF_THE_GATEWAY else words[0].replace("-", " ").capitalize()


def _operation(document: Document, path: str, method: str, described: Schema) -> Operation:
    body = _content(described.get("requestBody", {}))
    first, *errors = _answers(described)
    shape = _resolved(document, body) if body is not None else {}
    fields = fields_of(shape)
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        summary=described["summary"],
        public=described.get("security") == [],
        parameters=_parameters(described),
        body=fields,
        body_meaning=_without_name(shape.get("description", ""), method, path),
        answer=first,
        errors=errors,
        example=_example(path, method, fields, is_public=described.get("security") == []),
    )


def _without_name(meaning: str, method: str, path: str) -> str:
    """What is said of a body, without the operation that stands above it already."""
    return meaning.removeprefix(f"`{method.upper()} {path}`.").strip()


def _parameters(described: Schema) -> list[tuple[str, list[Field]]]:
    places: dict[str, list[Field]] = {}
    for one in described.get("parameters", ()):
        shown = {"description": one.get("description", ""), **one["schema"]}
        row = field(one["name"], shown, required=one.get("required", False))
        places.setdefault(one["in"], []).append(row)
    return list(places.items())


def _answers(described: Schema) -> Iterator[Answer]:
    """The one when all is well comes first, as the document has it."""
    for status, one in described["responses"].items():
        schema = _content(one)
        yield Answer(status, one["description"], type_of(schema) if schema is not None else [])


def _content(holder: Schema) -> Schema | None:
    """The schema of JSON; None for a stream, or for nothing."""
    found: Schema | None = holder.get("content", {}).get("application/json", {}).get("schema")
    return found


def _resolved(document: Document, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _models(document: Document) -> list[Model]:
    found: Mapping[str, Schema] = document["components"]["schemas"]
    return [
        Model(name, schema.get("description", ""), fields_of(schema))
        for name, schema in sorted(found.items())
    ]


def _errors(document: Document) -> list[Answer]:
    """Each status of a refusal, once."""
    found: dict[str, Answer] = {}
    for methods in document["paths"].values():
        for described in methods.values():
            for answer in list(_answers(described))[1:]:
                found.setdefault(answer.status, answer)
    return [found[status] for status in sorted(found)]


def _example(path: str, method: str, body: list[Field], *, is_public: bool) -> str:
    """A command for a shell; values that a reader has to choose are `…`."""
    parts = ["curl"]
    if method != "get" and not (method == "post" and body):
        parts.append(f"-X {method.upper()}")
    if not is_public:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if body:
        fields = {one.name: "…" for one in body if one.required}
        parts.append(f"-H 'Content-Type: application/json' -d '{_json(fields)}'")
    return " ".join([*parts, f"$HOLDFAST{path}"])


def _json(fields: Mapping[str, str]) -> str:
    return orjson.dumps(fields).decode()
