"""Links of the description lead from an id in an answer to the routes that take it."""

from typing import Any

from pydantic import BaseModel

from web.api.http.links import links_of
from web.api.http.openapi import document
from web.api.http.routes import Answer, Call, Result, Route
from web.api.http.run_models import Query


class Made(BaseModel):
    id: str


class Page(BaseModel):
    data: list[Made]
    next_cursor: str | None


class PageQuery(Query):
    cursor: str | None = None


def handler(call: Call) -> Answer:
    raise AssertionError(call)


def route(method: str, path: str, result: Result, **fields: Any) -> Route:
    return Route(method, path, handler, "Does it.", result, **fields)


MAKE = route("POST", "/things", Result(201, "Made.", Made, ids={"thing_id": "/id"}))
SHOW = route("GET", "/things/{thing_id}", Result(200, "It.", Made))
PARTS = route("GET", "/things/{thing_id}/parts", Result(200, "All.", Page), query=PageQuery)
PART = route("GET", "/things/{thing_id}/parts/{part_id}", Result(200, "One.", Made))
OTHER = route("GET", "/others/{other_id}", Result(200, "It.", Made))
ROUTES = [MAKE, SHOW, PARTS, PART, OTHER]


def test_an_id_leads_to_every_route_that_needs_no_other() -> None:
    parameters = {"thing_id": "$response.body#/id"}
    assert links_of(MAKE, ROUTES) == {
        "get_things_thing_id": {"operationId": "get_things_thing_id", "parameters": parameters},
        "get_things_thing_id_parts": {
            "operationId": "get_things_thing_id_parts",
            "parameters": parameters,
        },
    }


def test_a_page_leads_to_the_next_one_of_the_same_thing() -> None:
    assert links_of(PARTS, ROUTES) == {
        "next_page": {
            "operationId": "get_things_thing_id_parts",
            "parameters": {
                "cursor": "$response.body#/next_cursor",
                "thing_id": "$request.path.thing_id",
            },
        }
    }


def test_an_answer_without_ids_has_no_links() -> None:
    described = document(ROUTES, "1")["paths"]
    assert "links" not in described["/things/{thing_id}"]["get"]["responses"]["200"]
    assert "links" in described["/things"]["post"]["responses"]["201"]
