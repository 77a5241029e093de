"""A recording of a page with a line of text below it, as an animated WebP."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page

CAPTION = 44  # pixels
EVERY = 0.1  # seconds between frames at least
LAST = 2_500  # milliseconds for which the last frame stays
QUALITY = 55


@dataclass(frozen=True)
class Frame:
    """`at`: seconds since the epoch."""

    at: float
    caption: str
    image: bytes


class Recorder:
    """Records from the first `begin` until `save`."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._frames: list[Frame] = []
        self._caption = ""
        self._session.on("Page.screencastFrame", self._shown)

    def begin(self, caption: str) -> None:
        """What is shown from now on has this line below it."""
        if not self._caption:
            self._session.send("Page.startScreencast", {"format": "png"})
        elif self._frames:
            last = self._frames[-1]
            self._frames.append(Frame(time.time(), caption, last.image))
        self._caption = caption

    def save(self, file: Path) -> int:
        """Write the recording; its size in bytes."""
        self._session.send("Page.stopScreencast")
        frames = self._thinned()
        first, *rest = [_drawn(frame) for frame in frames]
        durations = [round((later.at - frame.at) * 1000) for frame, later in pairwise(frames)]
        first.save(
            file,
            save_all=True,
            append_images=rest,
            duration=[*durations, LAST],
            loop=0,
            quality=QUALITY,
            method=4,
        )
        return file.stat().st_size

    def _shown(self, event: dict[str, Any]) -> None:
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        image = base64.b64decode(event["data"])
        self._frames.append(Frame(event["metadata"]["timestamp"], self._caption, image))

    def _thinned(self) -> list[Frame]:
        kept = self._frames[:1]
        for frame in self._frames[1:]:
            if frame.at - kept[-1].at >= EVERY or frame.caption != kept[-1].caption:
                kept.append(frame)
        return kept


def _drawn(frame: Frame) -> Image.Image:
    shown = Image.open(io.BytesIO(frame.image)).convert("RGB")
    whole = Image.new("RGB", (shown.width, shown.height + CAPTION), "#1d1f23")
    whole.paste(shown, (0, 0))
    pen = ImageDraw.Draw(whole)
    font = ImageFont.load_default(size=18)
    pen.text((20, shown.height + CAPTION / 2), frame.caption, "#f2efe9", font, anchor="lm")
    return whole
