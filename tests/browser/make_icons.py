"""Draws the icons of the installed page from its SVG: `python -m tests.browser.make_icons`.

The maskable one has its background to the edges, since systems cut it to their own shape: what is
drawn keeps within the circle in the middle that no shape cuts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from deploy.page import build

CHROMIUM: Final = "/usr/bin/chromium"
PUBLIC: Final = build.SOURCE / "public"
BACKGROUND: Final = "#0f766e"
ICONS: Final = {"icon-192.png": 192, "icon-512.png": 512, "icon-maskable.png": 512}  # pixels
SAFE: Final = 0.72  # of the width of a maskable icon


def main() -> None:
    """Write all icons."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        for name, size in ICONS.items():
            _draw(page, size, is_maskable="maskable" in name)
            page.screenshot(path=PUBLIC / name, omit_background=True)
        browser.close()


def _draw(page: Page, size: int, *, is_maskable: bool) -> None:
    svg = Path(PUBLIC / "icon.svg").read_text("utf-8")
    width = round(size * SAFE) if is_maskable else size
    background = BACKGROUND if is_maskable else "none"
    page.set_viewport_size({"width": size, "height": size})
    page.set_content(
        f"<style>html{{height:100%;background:{background}}}body{{margin:0;height:100%;"
        f"display:grid;place-items:center}}svg{{width:{width}px;height:{width}px}}</style>{svg}"
    )


if __name__ == "__main__":
    main()
