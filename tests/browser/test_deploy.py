"""A deploy beside a service worker: the next load shows the new page, never a mixture."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask, jsonify
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from deploy.local.ports import LOOPBACK, free_port
from tests.browser.test_installed import KEPT, READY
from web.pages.built_page import FOLDER, BuiltPage
from web.pages.serve import add_page

MARK = "\nwindow.build = 'the next';\n"


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """A server of this built page, to which everybody is a stranger."""
    app = Flask(__name__)
    add_page(app, BuiltPage.load(folder), {})
    app.add_url_rule("/page/info", "info", lambda: jsonify(ok=True, signed_in=False))
    server = make_server(LOOPBACK, port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="page")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def builds(built_page: None, tmp_path: Path) -> tuple[Path, Path]:
    """The page, and its next build: another script, which has another name."""
    one, other = tmp_path / "one", tmp_path / "other"
    shutil.copytree(FOLDER, one)
    shutil.copytree(FOLDER, other, ignore=shutil.ignore_patterns("*.br", "*.gz"))
    script = next((other / "assets").glob("index-*.js"))
    renamed = script.with_name("index-thenext1.js")
    renamed.write_text(script.read_text() + MARK)
    script.unlink()
    for file in ("index.html", "service_worker.js"):
        text = (other / file).read_text().replace(script.name, renamed.name)
        (other / file).write_text(text)
    return one, other


def test_the_load_after_a_deploy_shows_the_new_page(
    browser: Browser, builds: tuple[Path, Path]
) -> None:
    port = free_port()
    context = browser.new_context()
    page = context.new_page()
    with serving(builds[0], port):
        page.goto(f"http://{LOOPBACK}:{port}/")
        page.evaluate(READY)
        page.reload()
        page.locator("#token").wait_for()
        assert page.evaluate("() => window.build") is None
        assert page.evaluate("() => navigator.serviceWorker.controller !== null")
    with serving(builds[1], port):
        page.reload()
        page.locator("#token").wait_for()
        assert page.evaluate("() => window.build") == "the next"
        page.reload()
        page.wait_for_function(
            f"async () => (await ({KEPT})()).includes('/assets/index-thenext1.js')"
        )
        assert page.evaluate("() => window.build") == "the next"
    context.close()
