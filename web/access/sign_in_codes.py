"""Redeems the one-time codes of `shared.sign_in_code`: each once, in whichever web process."""

import time
from collections.abc import Callable

from shared import sign_in_code
from shared.errors import RedisUnavailable
from shared.event_log.clients import Commands, RedisError
from shared.event_log.keys import used_code


class SignInCodes:
    """Gives the token for a code."""

    def __init__(
        self, token: str, commands: Commands, clock: Callable[[], float] = time.time
    ) -> None:
        """`token`: the shared one; empty: there are no codes."""
        self._token = token
        self._commands = commands
        self._clock = clock

    def redeem(self, text: str) -> str | None:
        """The token that the code stands for; None if it is wrong, has ended, or was used. Raises
        RedisUnavailable, since then nobody knows whether it was used."""
        now = self._clock()
        code = sign_in_code.read(self._token, text, now)
        if code is None:
            return None
        left = max(1, int(code.until - now) + 60)  # the clocks of processes may differ a little
        try:
            is_first = self._commands.set(used_code(code.nonce), b"", nx=True, ex=left)
        except RedisError as error:
            raise RedisUnavailable from error
        return self._token if is_first else None
