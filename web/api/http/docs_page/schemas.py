"""A schema of the OpenAPI document as rows of a table: fields, their types in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

Schema = Mapping[str, Any]

_PREFIX: Final = "#/components/schemas/"
_LIMITS: Final = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("maxLength", "up to {} characters"),
)


@dataclass(frozen=True)
class Part:
    """A piece of a type in words; `model`: the one that it names."""

    text: str
    model: str = ""


@dataclass(frozen=True)
class Field:
    """One row. `limits` and `default` are empty where there are none."""

    name: str
    type: list[Part]
    required: bool
    meaning: str
    limits: str
    default: str


def fields_of(schema: Schema) -> list[Field]:
    """The fields of an object."""
    needed = set(schema.get("required", ()))
    found: Mapping[str, Schema] = schema.get("properties", {})
    return [field(name, one, required=name in needed) for name, one in found.items()]


def field(name: str, schema: Schema, *, required: bool) -> Field:
    """One row of a table."""
    default = schema.get("default")
    return Field(
        name,
        type_of(schema),
        required,
        schema.get("description", ""),
        _limits(schema),
        "" if default is None else orjson.dumps(default).decode(),
    )


def type_of(schema: Schema) -> list[Part]:
    """The type in words, in which names of models are parts of their own."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_PREFIX)
        return [Part(name, name)]
    if "anyOf" in schema:
        return _joined([type_of(one) for one in _without_null(schema["anyOf"])])
    if "const" in schema:
        return [Part(f'"{schema["const"]}"')]
    if "enum" in schema:
        return [Part(", ".join(f'"{value}"' for value in schema["enum"]))]
    kind = schema.get("type", "any")
    if kind == "array":
        return [Part("list of "), *type_of(schema.get("items", {}))]
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        values = type_of(schema["additionalProperties"])
        return [Part("object of "), *values] if values != [Part("any")] else [Part("object")]
    return [Part(kind)]


def _without_null(schemas: list[Schema]) -> list[Schema]:
    return [one for one in schemas if one.get("type") != "null"] or schemas


def _joined(types: list[list[Part]]) -> list[Part]:
    parts: list[Part] = []
    for one in types:
        parts += [Part(" or "), *one] if parts else one
    return parts


def _limits(schema: Schema) -> str:
    inner = [schema, *_without_null(schema.get("anyOf", []))]
    said = [text.format(_number(one[key])) for one in inner for key, text in _LIMITS if key in one]
    return ", ".join(said)


def _number(value: float) -> str:
    return f"{value:,}".replace(",", " ")
