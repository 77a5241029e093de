"""The public keys of a JSON Web Key Set (RFC 7517), each for one algorithm. Pure.

An algorithm is fixed by the kind of key, never by a token, so that a token cannot choose to have a
public key taken for a secret. Keys that cannot be used are left out: sets have them for others.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm

MOST_KEYS: Final = 100
MOST_BYTES: Final = 1_000_000
LONGEST_MEMBER: Final = 2800  # characters: 16,384 bits of an RSA key
SHORTEST_RSA: Final = 2048  # bits

# kty -> algorithm, the members of its public key, and the curve. Private members are never read.
_KINDS: Final[Mapping[str, tuple[str, tuple[str, ...], str | None]]] = {
    "RSA": ("RS256", ("e", "kty", "n"), None),
    "EC": ("ES256", ("crv", "kty", "x", "y"), "P-256"),
    "OKP": ("EdDSA", ("crv", "kty", "x"), "Ed25519"),
}
ALGORITHMS: Final = tuple(algorithm for algorithm, _, _ in _KINDS.values())
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Key:
    """A key, and the one algorithm that it is for."""

    algorithm: str
    kid: str | None
    thumbprint: str
    material: Any


def secret_key(secret: str) -> Key:
    """Return the key of HS256."""
    thumbprint = hashlib.sha256(b"HS256\0" + secret.encode()).hexdigest()
    return Key("HS256", None, thumbprint, secret.encode())


def parse_keys(data: bytes) -> tuple[Key, ...]:
    """Return the keys of a set. Raises ValueError: what is wrong, without anything of it."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ValueError("is not JSON") from None
    rows = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ValueError('is no JSON Web Key Set, which has a list "keys"')
    keys = tuple(key for row in rows[:MOST_KEYS] if (key := _key(row)) is not None)
    if not keys:
        raise ValueError(
            "has no key to verify signatures with: RSA (2048 bits or more), EC P-256 or Ed25519"
        )
    return keys


def _key(row: object) -> Key | None:
    if not isinstance(row, dict) or not isinstance(row.get("kty"), str):
        return None
    if row["kty"] not in _KINDS:
        return None
    algorithm, names, curve = _KINDS[row["kty"]]
    members = {name: row.get(name) for name in names}
    if not _is_for(row, algorithm, curve) or not all(map(_is_member, members.values())):
        return None
    try:
        material = jwt.PyJWK(members, algorithm).key
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, ArithmeticError):
        return None
    if row["kty"] == "RSA" and material.key_size < SHORTEST_RSA:
        return None
    kid = row.get("kid")
    thumbprint = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Key(algorithm, kid if isinstance(kid, str) else None, thumbprint, material)


def _is_for(row: Mapping[str, Any], algorithm: str, curve: str | None) -> bool:
    """Whether the key is meant for signatures, by this algorithm."""
    operations = row.get("key_ops")
    return (
        (curve is None or row.get("crv") == curve)
        and row.get("use", "sig") == "sig"
        and row.get("alg", algorithm) == algorithm
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def _is_member(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_MEMBER
        and (_BASE64URL.fullmatch(value) is not None or value in ("P-256", "Ed25519"))
    )
