"""When a stopped run is over at its gateway (R9)."""

from collections.abc import Sequence

import pytest

from shared.errors import GatewayNoResponse
from shared.hermes.profiles import Profile
from worker.gateway.client import GatewayClient
from worker.gateway.models import RunStatus
from worker.gateway.stop_at_gateway import stop_and_wait

PROFILE = Profile("default", "http://127.0.0.1:1")


class Gateway(GatewayClient):
    """Whether it takes a stop, and what it says of the run from then on; the last for ever."""

    def __init__(self, *states: str | None, known: bool) -> None:
        super().__init__(PROFILE, connections=1, connect_timeout=1.0, post_timeout=1.0, max_event=1)
        self.states: Sequence[str | None] = states
        self.known = known

    def stop_run(self, gateway_run_id: str) -> bool:
        return self.known

    def status(self, gateway_run_id: str) -> RunStatus | None:
        state, self.states = self.states[0], self.states[1:] or self.states
        if state == "away":
            raise GatewayNoResponse
        return None if state is None else RunStatus(state, None, None, None)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("states", "over"),
    [
        (["stopping", "cancelled"], True),
        (["interrupted"], True),
        ([None], True),
        (["running"], False),
        (["running", "away"], False),
    ],
)
def test_its_status_says_so_and_not_whether_it_took_the_request(
    states: list[str | None], *, over: bool, known: bool
) -> None:
    """Old gateways forget how to stop a run after five minutes, though it goes on."""
    gateway = Gateway(*states, known=known)
    assert stop_and_wait(gateway, "run_g", "run_1", 0.3) is over
