"""Which Redis servers can be used, by what they say of themselves."""

from __future__ import annotations

import pytest

from shared.redis_check import fault_of

REDIS = {"redis_mode": "standalone", "redis_version": "7.0.15"}
VALKEY = {"server_mode": "standalone", "redis_version": "7.2.4", "valkey_version": "9.1.2"}


@pytest.mark.parametrize(
    "server",
    [
        REDIS,
        VALKEY,
        REDIS | {"redis_version": "6.2.0"},
        REDIS | {"redis_version": "10.0.1"},
        REDIS | {"redis_version": "8.2"},
        REDIS | {"redis_version": "unstable"},
        {},  # a server behind a proxy that keeps it to itself
    ],
)
def test_these_can_be_used(server: dict[str, str]) -> None:
    assert fault_of(server) is None


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (REDIS | {"redis_version": "6.0.16"}, "is Redis 6.0.16, which is too old"),
        (REDIS | {"redis_version": "5.0.7"}, "needs 6.2 or later, or Valkey"),
        (REDIS | {"redis_mode": "sentinel"}, "is a Sentinel"),
        (VALKEY | {"server_mode": "sentinel"}, "is a Sentinel"),
        (REDIS | {"redis_mode": "cluster"}, "is a node of a Redis Cluster"),
        (VALKEY | {"server_mode": "cluster"}, "is a node of a Redis Cluster"),
    ],
)
def test_these_cannot_and_why(server: dict[str, str], why: str) -> None:
    assert why in (fault_of(server) or "")
