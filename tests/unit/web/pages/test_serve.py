"""What browsers get at `/` and of the page's files."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from web.pages.built_page import BuiltPage
from web.pages.serve import add_page

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ABOUT = {"service": "holdfast"}
SCRIPT = b"export const a = 1;\n" * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Holdfast</title>")
    (tmp_path / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT, mtime=0))
    (tmp_path / "assets" / "index-abc.js.br").write_bytes(b"as brotli")
    (tmp_path / "diagram.html").write_text("<!doctype html><title>Diagrams</title>")
    (tmp_path / ".source").write_text("hash")
    return tmp_path


def client(page: BuiltPage | None) -> FlaskClient:
    app = Flask("test")
    add_page(app, page, ABOUT)
    return app.test_client()


@pytest.fixture
def site(folder: Path) -> FlaskClient:
    return client(BuiltPage.load(folder))


def test_without_a_built_page_everybody_gets_json(tmp_path: Path) -> None:
    site = client(BuiltPage.load(tmp_path))
    assert site.get("/", headers=BROWSER).get_json() == ABOUT
    assert site.get("/assets/index-abc.js").status_code == 404


def test_browsers_get_the_page_and_programs_get_json(site: FlaskClient) -> None:
    assert "<!doctype html>" in site.get("/", headers=BROWSER).text
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = site.get("/", headers=headers)
        assert answer.get_json() == ABOUT
        assert "Accept" in answer.vary


def policy_of(answer: Any) -> dict[str, str]:
    rules = answer.headers["Content-Security-Policy"].split(";")
    return dict(rule.strip().split(" ", 1) for rule in rules)


def test_the_page_may_run_no_script_but_its_own(site: FlaskClient) -> None:
    answer = site.get("/", headers=BROWSER)
    policy = policy_of(answer)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_diagrams_are_drawn_in_a_document_that_can_reach_nothing(site: FlaskClient) -> None:
    answer = site.get("/diagram.html")
    policy = policy_of(answer)
    assert policy["sandbox"] == "allow-scripts", "it has no origin, and so no cookie"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "connect-src" not in policy
    assert policy["frame-ancestors"] == "'self'"
    assert "X-Frame-Options" not in answer.headers
    script = site.get("/assets/index-abc.js")
    assert script.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_shell_is_asked_for_with_its_etag_and_hashed_files_are_kept(site: FlaskClient) -> None:
    shell = site.get("/", headers=BROWSER)
    assert shell.headers["Cache-Control"] == "no-cache"
    again = site.get("/", headers={**BROWSER, "If-None-Match": shell.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    script = site.get("/assets/index-abc.js")
    assert "immutable" in script.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br, zstd", "br", b"as brotli"),
        ("gzip", "gzip", gzip.compress(SCRIPT, mtime=0)),
        ("br;q=0, gzip", "gzip", gzip.compress(SCRIPT, mtime=0)),
        ("identity", None, SCRIPT),
        ("", None, SCRIPT),
    ],
)
def test_files_come_in_an_encoding_that_the_client_takes(
    site: FlaskClient, accepted: str, encoding: str | None, content: bytes
) -> None:
    answer = site.get("/assets/index-abc.js", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.data[4:] == content[4:] if encoding != "gzip" else answer.data[8:] == content[8:]
    assert "Accept-Encoding" in answer.vary


@pytest.mark.parametrize(
    "path", ["/.source", "/assets/../.source", "/assets/..%2f.source", "/assets/", "/index.html.gz"]
)
def test_nothing_but_the_files_of_the_page_is_served(site: FlaskClient, path: str) -> None:
    assert site.get(path).status_code in (301, 308, 404)


def test_files_that_change_later_are_served_as_they_were(folder: Path) -> None:
    site = client(BuiltPage.load(folder))
    (folder / "index.html").write_text("another build")
    answer: Any = site.get("/", headers=BROWSER)
    assert "another build" not in answer.text


def test_the_views_of_runs_are_the_page_at_every_path_below(site: FlaskClient) -> None:
    for path in ("/runs", "/runs/overview", "/runs/run_1"):
        answer = site.get(path, headers=BROWSER)
        assert "<!doctype html>" in answer.text, path
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert site.post("/runs").status_code == 405


def test_without_a_built_page_there_are_no_views(tmp_path: Path) -> None:
    assert client(BuiltPage.load(tmp_path)).get("/runs", headers=BROWSER).status_code == 404
