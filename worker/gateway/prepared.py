"""Prepares the requests of one gateway: what they have in common only once.

Preparing is a third of what a short request costs with `requests`: the address and each header are
checked, and the name of the host is encoded. All requests to a gateway have the same address, key
and default headers; they differ in method, path, body and a few headers, which are ours and need no
check.
"""

from collections.abc import Mapping

import requests


class PreparedRequests:
    """Makes requests to `url`, with the headers that `session` has at the first one."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session = session
        self._url = url
        self._base: requests.PreparedRequest | None = None

    def make(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> requests.PreparedRequest:
        """The request to send. `path`: from its first slash on, quoted.

        Raises requests.RequestException, or another ValueError, if the address or a header of the
        session is invalid.
        """
        if self._base is None:
            root = requests.Request("GET", f"{self._url}/")
            self._base = self._session.prepare_request(root)
        made = self._base.copy()
        made.method = method
        made.url = f"{str(made.url)[:-1]}{path}"
        made.headers.update(headers)
        made.body = body
        if method != "GET":
            made.headers["Content-Length"] = str(len(body or b""))
        return made
