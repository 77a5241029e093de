"""The OpenAPI 3.1 document, made from the table of routes and the models of requests. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.hermes.profiles import DEFAULT
from web.api.http.links import links_of
from web.api.http.routes import EVENT_STREAM, Route

VERSION: Final = "3.1.0"
EVERYWHERE: Final = (401, 403, 404, 429, 500, 503)  # statuses of errors that every route may answer
BARE: Final = {414: "The URL is too long."}  # statuses of what does not reach a route
BARE_OF_BODY: Final = {411: "The body came without its length."}
OF_PUBLIC: Final = (403, 500)  # those of a route that asks for no token

_REFERENCE = "#/components/schemas/{model}"
_MEANING: Final = {
    400: "What was sent makes no sense; `param` names the field.",
    401: "The token is missing or wrong.",
    403: "Your role does not allow it, or a page of another origin sent it with a cookie.",
    404: "There is no such thing, or no such profile, or it is somebody else's.",
    405: "The path has no such method.",
    409: "The state of the run does not allow it.",
    410: "What came before was condensed, and the position cannot be continued exactly.",
    413: "Too large.",
    415: "The body is not `application/json`.",
    429: "Too many; `Retry-After` says when to try again.",
    500: "A fault of the server; it is in its log.",
    501: "Not done here, or not offered by the gateway of this profile.",
    502: "The gateway gave no usable answer, or its agent could not answer; `code` says why.",
    503: "A service that is needed does not answer; `Retry-After` says when to try again.",
}


_BUDGET: Final = {
    "RateLimit-Limit": {
        "description": "Requests that may be sent at once.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Remaining": {
        "description": "How many of them are left.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Reset": {
        "description": "Seconds until all of them may be sent again.",
        "schema": {"type": "integer"},
    },
}


class ErrorDetail(BaseModel):
    """What went wrong: `message` for people, `code` for programs."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The description of the routes. `version`: of the product."""
    return {
        "openapi": VERSION,
        "info": {
            "title": "Holdfast",
            "version": version,
            "description": "The API of the Hermes Agent API server, with runs that last.",
        },
        "servers": [
            {"url": "/"},
            {
                "url": "/p/{profile}",
                "description": "The same paths, for the gateway of that profile.",
                "variables": {"profile": {"default": DEFAULT}},
            },
        ],
        "security": [{"token": []}],
        "paths": _paths(routes),
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(routes: Sequence[Route]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route)
        if found := links_of(route, routes):
            operation["responses"][str(route.result.status)]["links"] = found
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return paths


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.public:
        operation["security"] = []
    if route.body is not None:
        content = {"application/json": {"schema": _reference(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in route.parameters
    ]
    if route.query is not None:
        properties = route.query.model_json_schema()["properties"]
        for name, schema in properties.items():
            meaning = schema.pop("description", "")
            found.append({"name": name, "in": "query", "description": meaning, "schema": schema})
    for header in route.headers:
        described = {"name": header.name, "in": "header", "description": header.meaning}
        found.append({**described, "schema": text})
    return found


def _responses(route: Route) -> dict[str, Any]:
    result = route.result
    content: dict[str, Any] = {}
    if result.model is not None:
        content["application/json"] = {"schema": _reference(result.model)}
    # OpenAPI 3.1 cannot say what the events of a stream, or the lines of a file, are.
    others = result.types if result.model is None else (EVENT_STREAM,) * result.streams
    content |= {kind: {} for kind in others}
    responses: dict[str, Any] = {
        str(result.status): {
            "description": result.meaning,
            "content": content,
            "headers": {} if route.public else {n: dict(said) for n, said in _BUDGET.items()},
        }
    }
    if result.nothing_more:
        responses["204"] = {"description": result.nothing_more}
    error = {"application/json": {"schema": _reference(ErrorBody)}}
    everywhere = EVERYWHERE if not route.public else OF_PUBLIC
    for status in sorted({*everywhere, *route.refusals}):
        responses[str(status)] = {"description": _MEANING[status], "content": error}
    for status, meaning in (BARE | (BARE_OF_BODY if route.body is not None else {})).items():
        responses[str(status)] = {"description": f"{meaning} The answer has no body."}
    return responses


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = [route.body for route in routes if route.body is not None]
    results = [route.result.model for route in routes if route.result.model is not None]
    answers: set[type[BaseModel]] = {*results, ErrorBody}
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in bodies]
    wanted += [(model, "serialization") for model in answers]
    _, definitions = models_json_schema(wanted, ref_template=_REFERENCE)
    schemas: dict[str, Any] = definitions["$defs"]
    if twice := [name for name in schemas if "__" in name]:  # named by their modules, then
        raise ValueError(f"models of the API have the same name: {', '.join(sorted(twice))}")
    return schemas


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
