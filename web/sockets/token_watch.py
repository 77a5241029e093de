"""Closes what is open on behalf of somebody whose token or cookie is no longer valid.

Problem: a token is checked when somebody comes, and a socket stays for days. Idea: each round asks
the authenticator for every principal again, from what it keeps of the token (`web/auth.py`), and
ends whatever came by one that has ended. Its client comes back, and is then refused.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

from shared.service import Service, periodic
from web.access.principal import Principal
from web.auth import Authenticator

log = logging.getLogger(__name__)

AT_ONCE = 200  # that are looked at before others get their turn


class Held(Protocol):
    """What is open: a socket, or a reader of events."""

    principal: Principal | None


H = TypeVar("H", bound=Held)


class TokenWatch:
    """`service` makes the rounds."""

    def __init__(self, authenticator: Authenticator, every: float) -> None:
        """`every`: seconds between two rounds."""
        self.service: Service = periodic("token-watch", self.look, every)
        self._authenticator = authenticator
        self._looks: list[Callable[[], int]] = []

    def add(self, held: Callable[[], Iterable[H]], end: Callable[[H], None]) -> None:
        """From now on `end` is called with each of `held()` whose principal has ended. It must not
        wait."""
        self._looks.append(partial(self._look_at, held, end))

    def look(self) -> None:
        """Make one round."""
        self._authenticator.refresh()
        ended = sum(look() for look in self._looks)
        if ended:
            log.info("tokens.ended closed=%s", ended)

    def _look_at(self, held: Callable[[], Iterable[H]], end: Callable[[H], None]) -> int:
        ended = 0
        for number, one in enumerate(held()):
            if number % AT_ONCE == AT_ONCE - 1:
                time.sleep(0)
            if one.principal is None:
                continue
            now = self._authenticator.renew(one.principal)
            if now is None:
                end(one)
                ended += 1
            else:
                one.principal = now
        return ended
