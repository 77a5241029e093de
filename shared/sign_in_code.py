"""One-time codes that sign a browser in, in the link that `holdfast up` prints. Pure.

A code is `<end>.<nonce>.<signature>`: signed with a key that follows from the token, so that every
web process can check it and none has to be asked for one. Who redeems a code has to see to it that
its nonce is used once.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

LIFE: Final = 600  # seconds
LONGEST: Final = 200  # characters
_NONCE_BYTES: Final = 18


@dataclass(frozen=True)
class SignInCode:
    """What a code says: `until` in epoch seconds."""

    nonce: str
    until: int


def make(token: str, now: float) -> str:
    """A new code for who has the token."""
    body = f"{int(now) + LIFE}.{secrets.token_urlsafe(_NONCE_BYTES)}"
    return f"{body}.{_signature(token, body)}"


def read(token: str, text: str, now: float) -> SignInCode | None:
    """What the code says; None if it was not made with this token, or has ended."""
    if not token or len(text) > LONGEST or not text.isascii():
        return None
    body, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature, _signature(token, body)):
        return None
    until, _, nonce = body.partition(".")
    if not nonce or not until.isdecimal() or int(until) <= now:
        return None
    return SignInCode(nonce, int(until))


def _signature(token: str, body: str) -> str:
    key = hashlib.sha256(f"holdfast.sign_in\0{token}".encode()).digest()
    mac = hmac.digest(key, body.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")
