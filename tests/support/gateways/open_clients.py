"""Gateway clients that one test makes: closed when it ends, their threads joined."""

from worker.gateway.client import GatewayClient

_open: list[GatewayClient] = []


def close_at_end(client: GatewayClient) -> GatewayClient:
    """The client, which the fixture of `tests/integration/worker/gateway` closes after the test."""
    _open.append(client)
    return client


def close_all() -> None:
    """Close what was given to `close_at_end`."""
    while _open:
        _open.pop().close()
