"""What test processes report to the one that shows it, so that any text can be sent."""

from typing import Any


def sendable(value: Any) -> Any:
    """The same values with escapes for lone surrogates, which pytest-xdist cannot send: a test that
    logs one would end its process, whether it passes or not."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {sendable(key): sendable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(sendable(one) for one in value)
    return value
