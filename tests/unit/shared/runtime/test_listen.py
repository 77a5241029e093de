"""What the green runtime gives to others."""

from __future__ import annotations

import socket

from deploy.local.ports import LOOPBACK, free_port
from shared import runtime


def test_small_frames_do_not_wait_for_the_client_to_acknowledge_the_one_before() -> None:
    listener = runtime.listen(LOOPBACK, free_port())
    client = socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    try:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    finally:
        for each in (accepted, client, listener):
            each.close()
