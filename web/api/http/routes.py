"""The table of routes: what each takes, answers and means; and how Flask comes to call it."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson
from flask import Flask, Response, request
from pydantic import BaseModel
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from shared.errors import HoldfastError
from shared.hermes.profiles import DEFAULT
from web.access.principal import ANYBODY, Principal
from web.api.counted import count_request
from web.api.http import errors
from web.api.http.errors import Fault
from web.api.request_auth import RequestAuth
from web.sockets.rate_limit import OwnerLimits

log = logging.getLogger(__name__)

BODY: Final = (400, 413, 415)  # statuses of what may be wrong with a body
EVENT_STREAM: Final = "text/event-stream"
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Header:
    """A header that a route reads."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Result:
    """An answer that a route gives when all is well; without a model it has one of the `types`.
    `streams`: it may be an event stream as well. `nothing_more`: what 204 means, where that is an
    answer, too. `ids`: names of parameters of paths, and where in the body there are values of
    them, as JSON pointers: `{"run_id": "/run_id"}`."""

    status: int
    meaning: str
    model: type[BaseModel] | None = None
    streams: bool = False
    types: Sequence[str] = (EVENT_STREAM,)
    nothing_more: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request, authenticated unless its route is public."""

    principal: Principal
    profile: str
    path: Mapping[str, str]
    headers: Headers
    arguments: Mapping[str, str]

    @property
    def owner(self) -> str:
        """Whose request it is."""
        return self.principal.owner


@dataclass(frozen=True)
class Answer:
    """The body as JSON-able values."""

    body: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer | Response]


@dataclass(frozen=True)
class Route:
    """One row. `path` is written as in OpenAPI: `/v1/runs/{run_id}`. `refusals`: statuses of errors
    beside those that every route has. `public`: everybody may ask, without a token, and nothing is
    counted. `starts_run`: it counts against the limit of such requests."""

    method: str
    path: str
    handler: Handler
    summary: str
    result: Result
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: Sequence[Header] = ()
    refusals: Sequence[int] = ()
    public: bool = False
    starts_run: bool = False

    @property
    def is_served(self) -> bool:
        """Whether it does what the gateway's route does, and not only say that it does not."""
        return self.result.status != HTTPStatus.NOT_IMPLEMENTED

    @property
    def name(self) -> str:
        """Its name in the description."""
        words = self.path.replace("{", "").replace("}", "").split("/")
        return "_".join([self.method.lower(), *filter(None, words)])

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return _PARAMETER.findall(self.path)

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return _PARAMETER.sub(r"<\1>", self.path)


def add_routes(app: Flask, auth: RequestAuth, limits: OwnerLimits, routes: Sequence[Route]) -> None:
    """Serve the routes, and give all errors below their prefixes the one envelope."""
    for route in routes:
        app.add_url_rule(
            route.rule,
            endpoint=f"{route.method} {route.path}",
            view_func=_view(auth, limits, route),
            methods=[route.method],
        )
    app.register_error_handler(HTTPException, _routing_error)


def _view(auth: RequestAuth, limits: OwnerLimits, route: Route) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        try:
            call = Call(
                principal=_principal(auth, limits, route),
                profile=request.args.get("profile", "").strip() or DEFAULT,
                path=path,
                headers=Headers(request.headers),
                arguments=request.args.to_dict(),
            )
            return _response(route.handler(call))
        except HoldfastError as error:
            fault = errors.fault_of(error)
            log.info("api.refused route=%s code=%s", route.path, fault.code)
            return refused(fault)
        except HTTPException:
            raise
        except Exception:  # the edge: a bug answers `internal` and harms nobody else
            log.exception("api.failed route=%s", route.path)
            return refused(errors.internal())

    return view


def _principal(auth: RequestAuth, limits: OwnerLimits, route: Route) -> Principal:
    """Who sent the current request, which is then counted."""
    if route.public:
        return ANYBODY
    principal = auth.of_request(request.environ)
    count_request(limits, principal.owner, starts=route.starts_run)
    return principal


def _response(answer: Answer | Response) -> Response:
    if isinstance(answer, Response):
        return answer
    return _json(answer.body, answer.status, answer.headers)


def refused(fault: Fault) -> Response:
    """The response of an error."""
    return _json(fault.envelope, fault.status, fault.headers)


def _json(body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    response = Response(orjson.dumps(body), status, mimetype="application/json")
    response.headers.update(headers)
    return response


def _routing_error(error: HTTPException) -> Response | HTTPException:
    if not errors.is_api_path(request.path):
        return error
    response = refused(errors.fault_of_routing(error))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response
