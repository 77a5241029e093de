"""Links of the description: which answer has an id that another route takes. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from web.api.http.routes import Route

CURSOR: Final = "cursor"
NEXT: Final = "next_cursor"


def links_of(route: Route, routes: Sequence[Route]) -> dict[str, Any]:
    """Links of the answer of `route`, by name: to all routes whose path needs the ids that it has,
    and from a page of a list to the next one."""
    ids = route.result.ids
    takers = [other for other in routes if other.parameters and ids.keys() >= {*other.parameters}]
    links = {other.name: _link(other, {n: ids[n] for n in other.parameters}) for other in takers}
    if _has_pages(route):
        links["next_page"] = _link(route, {CURSOR: f"/{NEXT}"})
        links["next_page"]["parameters"] |= {n: f"$request.path.{n}" for n in route.parameters}
    return links


def _has_pages(route: Route) -> bool:
    model, query = route.result.model, route.query
    if model is None or query is None:
        return False
    return NEXT in model.model_fields and CURSOR in query.model_fields


def _link(to: Route, pointers: dict[str, str]) -> dict[str, Any]:
    values = {name: f"$response.body#{pointer}" for name, pointer in pointers.items()}
    return {"operationId": to.name, "parameters": values}
