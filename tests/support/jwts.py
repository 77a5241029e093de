"""Issuers of JSON Web Tokens: key pairs, their public sets, and tokens of any shape."""

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

SECRET = "a-secret-of-at-least-32-bytes-for-tests"
ISSUER = "https://issuer.example"
AUDIENCE = "holdfast"
RULES = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE}


@cache
def _made(algorithm: str, number: int) -> Any:
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else _ed()


def _ed() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


class Signer:
    """A key pair of one algorithm. Equal ones are the same pair."""

    def __init__(self, algorithm: str = "ES256", kid: str | None = "k1", number: int = 0) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private = _made(algorithm, number)

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public key, as a set has it."""
        kind = jwt.algorithms.get_default_algorithms()[self.algorithm]
        public = dict(kind.to_jwk(self.private.public_key(), as_dict=True))
        public.pop("key_ops", None)
        named = {} if self.kid is None else {"kid": self.kid}
        return {**public, **named, "use": "sig", "alg": self.algorithm, **more}

    def token(self, header: dict[str, Any] | None = None, **more: Any) -> str:
        """A token that is right but for `header` and the claims in `more` (None: left out)."""
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(
            claims(**more), self.private, self.algorithm, headers={**named, **(header or {})}
        )


def key_set(*signers: Signer) -> bytes:
    """The public keys as a JSON Web Key Set."""
    return json.dumps({"keys": [signer.jwk() for signer in signers]}).encode()


def claims(**more: Any) -> dict[str, Any]:
    """Those of a valid token of Alice, for five minutes, with changes; None leaves one out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300}
    return {name: value for name, value in {**usual, **more}.items() if value is not None}


def secret_token(secret: str = SECRET, header: dict[str, Any] | None = None, **more: Any) -> str:
    """A token that is signed with a secret (HS256)."""
    return jwt.encode(claims(**more), secret, "HS256", headers=header)


def forged(header: dict[str, Any], payload: Any, key: bytes = b"") -> str:
    """A token as an attacker writes it: any header, HMAC with any bytes, or no signature."""
    parts = [_encoded(json.dumps(part).encode()) for part in (header, payload)]
    signed = b".".join(parts)
    mac = hmac.digest(key, signed, hashlib.sha256) if key else b""
    return b".".join((signed, _encoded(mac))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
