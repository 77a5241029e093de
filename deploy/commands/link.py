"""`holdfast link`: the address of the page, with a one-time code that signs the browser in."""

import time

from shared import sign_in_code
from web.pages.built_page import FOLDER, SHELL


def link(url: str, token: str) -> str | None:
    """Return the address; without token it needs no code. None if no page was built.

    The code is in the fragment, which browsers do not send and servers do not log.
    """
    if not (FOLDER / SHELL).is_file():
        return None
    return f"{url}/#code={sign_in_code.make(token, time.time())}" if token else f"{url}/"
