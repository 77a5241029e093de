"""The page of the API: everything that the document has, as plain HTML that runs nothing."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from pydantic import BaseModel, Field

from web.api.http.api import event_routes, run_routes
from web.api.http.docs_page.page import page
from web.api.http.docs_page.serve import add_docs_page
from web.api.http.gateway.routes import with_gateway_routes
from web.api.http.openapi import document
from web.api.http.routes import Header, Result, Route


class Parsed(HTMLParser):
    """What is in a page: tags, ids, the places that links lead to, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        named = dict(attrs)
        if "id" in named:
            self.ids.append(named["id"] or "")
        if "href" in named:
            self.links.append(named["href"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    others = [*run_routes(Mock()), *event_routes(Mock())]
    routes = with_gateway_routes(
        others, profiles=Mock(), health=Mock(), needs_token=True, cors=False
    )
    return document(routes, "0.1.0")


def test_it_has_every_operation_parameter_and_model(described: dict[str, Any]) -> None:
    html = Parsed(page(described))
    for path, methods in described["paths"].items():
        assert path in html.text
        for operation in methods.values():
            assert operation["operationId"] in html.ids
            assert operation["summary"].replace("`", "") in html.text
            if "501" in list(operation["responses"])[:1]:
                continue
            for parameter in operation["parameters"]:
                assert parameter["name"] in html.text
                assert parameter.get("description", "").replace("`", "") in html.text
    for name, schema in described["components"]["schemas"].items():
        assert f"model-{name}" in html.ids
        assert set(schema.get("properties", ())) <= set(html.text.split()), name


def test_each_link_leads_somewhere_and_each_id_is_there_once(described: dict[str, Any]) -> None:
    html = Parsed(page(described))
    inside = {link[1:] for link in html.links if link.startswith("#")}
    assert inside <= set(html.ids)
    assert len(html.ids) == len(set(html.ids))
    outside = {link for link in html.links if not link.startswith("#")}
    assert outside == {"/docs/style.css", "/openapi.json"}


def test_it_runs_nothing_and_needs_no_other_server(described: dict[str, Any]) -> None:
    html = Parsed(page(described))
    assert not {"script", "style", "iframe", "img", "form", "base"} & set(html.tags)
    assert not {"style", "src"} & html.attributes
    assert not [name for name in html.attributes if name.startswith("on")]


class Odd(BaseModel):
    """<script>alert(1)</script> & more."""

    name: str = Field(default="<b>", description='"><img src=x onerror=alert(1)>')


def test_what_the_document_says_is_text_and_never_markup() -> None:
    odd = Route(
        "POST",
        "/v1/odd/{id}",
        Mock(),
        "<i>summary</i> with `<code>`",
        Result(200, "<u>fine</u>", Odd),
        body=Odd,
        headers=[Header("X-Odd", "<script>")],
    )
    html = page(document([odd], "<0>"))
    for raw in ("<i>", "<u>", "<b>", "<img", "<script", "<0>"):
        assert raw not in html, raw
    assert "<code>&lt;code&gt;</code>" in html


def test_it_is_served_with_a_policy_that_allows_only_its_style(described: dict[str, Any]) -> None:
    app = Flask("test")
    add_docs_page(app, lambda: described)
    client = app.test_client()
    for path, kind in (("/docs", "text/html"), ("/docs/style.css", "text/css")):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (200, kind)
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert policy[:2] == ["default-src 'none'", "style-src 'self'"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    assert "@import" not in client.get("/docs/style.css").text
    assert "url(" not in client.get("/docs/style.css").text
