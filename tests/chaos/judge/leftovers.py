"""What is left when everybody has gone: keys without a life, subscriptions, memory."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Violation

BROKER = "hf:celery:"  # queues and bindings, which Celery keeps
GROWTH = 0.10
JUDGED_AFTER = 300.0  # seconds of load; less says nothing about memory


def keys_without_ttl(evidence: Evidence) -> list[str]:
    """Ours, which would stay for ever."""
    return sorted(
        key for key, ttl in evidence.keys.items() if ttl < 0 and not key.startswith(BROKER)
    )


def judge_leftovers(evidence: Evidence) -> Iterator[Violation]:
    """Keys, channels of sessions, and faults that the kit itself could not carry out."""
    for key in keys_without_ttl(evidence):
        yield Violation("key without TTL", key.rpartition(":")[2], key)
    for channel in evidence.channels:
        if channel.endswith(":bell"):
            yield Violation("subscription", "", f"{channel} is still listened to")
    for problem in evidence.broken:
        yield Violation("fault", "", problem)


def judge_memory(evidence: Evidence) -> Iterator[Violation]:
    """Processes that carried the load for long enough."""
    for life in evidence.memory:
        if life.seconds >= JUDGED_AFTER and life.end > life.start * (1 + GROWTH):
            grown = 100 * (life.end / life.start - 1)
            yield Violation("memory", "", f"{life.name} pid {life.pid} grew by {grown:.0f} %")
