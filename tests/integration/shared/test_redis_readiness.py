"""What a green process learns of a Redis connection without a turn of the hub, with the installed
redis-py."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from redis._parsers import hiredis

from shared.redis_readiness import ask_without_waiting
from tests.support.servers.redis_server import RedisServer

ASKS = """
from shared import runtime
runtime.patch()
import sys, threading, time
from redis.exceptions import ConnectionError
from shared.event_log.clients import command_client

others = []
def other():
    while not others:
        time.sleep(0)
    while others[-1] != "end":
        others.append("turn")
        time.sleep(0)

client = command_client(sys.argv[1], connections=2)
connection = client.connection_pool.get_connection()
thread = threading.Thread(target=other)
if sys.argv[2] == "counted":
    thread.start()
time.sleep(0.01)
others.append("begin")
found = [connection.can_read(), len(others) - 1]
connection.send_command("SUBSCRIBE", "c")
connection.read_response()
client.publish("c", "x")
time.sleep(0.2)
turns = len(others)
found += [connection.can_read(), connection.can_read(), len(others) - turns]
connection.read_response()
turns = len(others)
found += [connection.can_read(), len(others) - turns]
found.append(connection.can_read(timeout=0.05))
client.client_kill_filter(_type="pubsub")
time.sleep(0.2)
turns = len(others)
try:
    found.append(connection.can_read())
except ConnectionError:  # redis-py says so where it has select.poll
    found.append(True)
found.append(len(others) - turns)
others.append("end")
print(*map(int, found))
"""


@pytest.mark.parametrize(
    ("library", "turns_are"),
    [("eventlet", "counted"), ("gevent", "not")],  # there a thread that only yields stops clocks
)
def test_it_says_what_waits_and_lets_no_other_thread_run(
    library: str, turns_are: str, redis_server: RedisServer
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKS, redis_server.url, turns_are],
        env={**os.environ, "RUNTIME": library},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    nothing, something, turns = "0", "1", "0"
    assert done.stdout.split() == [
        *(nothing, turns),
        *(something, something, turns),  # asking takes nothing
        *(nothing, turns),
        nothing,  # while it may wait
        *(something, turns),  # the end
    ]


def test_a_process_that_is_not_green_asks_as_redis_py_does() -> None:
    before = hiredis._socket_can_read
    ask_without_waiting()
    assert hiredis._socket_can_read is before
