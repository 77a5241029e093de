"""Each green library gives the same: the steps are done in a process of its own, since `patch`
cannot be undone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shared import runtime
from shared.errors import SettingsError
from shared.runtime import GREEN
from shared.settings import Settings

STEPS = {
    "blocking work lets others go on, and its error comes back": """
ticks = ticking()
offload = runtime.offload
assert offload(native.sleep, 0.3) is None
assert ticks() > 2
try:
    offload(int, "no number")
except ValueError as error:
    assert "no number" in str(error)
else:
    raise AssertionError
assert offload(lambda: offload(sorted, [2, 1])) == [1, 2]
""",
    "a native thread runs while the hub stands still": """
event, beats = runtime.native_event(), []
def beat():
    while not event.wait(0.02):
        beats.append(1)
thread = runtime.native_thread(beat, "beat")
native.sleep(0.4)  # blocks the hub
assert len(beats) > 2
event.set()
runtime.offload(thread.join, 5)
assert not thread.is_alive()
""",
    "a selector is waited for while others go on": """
ticks, selector = ticking(), runtime.selector()
ours, theirs = socket.socketpair()
selector.register(ours, selectors.EVENT_READ)
threading.Timer(0.3, theirs.send, (b"x",)).start()
runtime.wait_for(selector)
assert selector.select(0)
assert ticks() > 2
""",
    "a thread that nobody joins": """
done = []
runtime.spawn(done.append, 1)
signal.signal(signal.SIGUSR1, lambda *_: runtime.spawn_from_signal(done.append, 2))
os.kill(os.getpid(), signal.SIGUSR1)
deadline = time.monotonic() + 10
while len(done) < 2 and time.monotonic() < deadline:
    time.sleep(0.01)
assert done == [1, 2]
""",
    "a connection that was accepted knows when the client has left": """
listener = runtime.listen("127.0.0.1", 0)
client = socket.create_connection(listener.getsockname())
accepted, _ = listener.accept()
assert not runtime.is_closed_by_peer(accepted)
client.send(b"x")
time.sleep(0.1)
assert not runtime.is_closed_by_peer(accepted)
assert accepted.recv(1) == b"x"
client.close()
time.sleep(0.1)
assert runtime.is_closed_by_peer(accepted)
""",
    "a query is waited for by the hub": """
from psycopg import waiting
assert waiting.wait is waiting.wait_select
""",
}
BEGIN = """
from shared import runtime
runtime.patch()
runtime.patch()
import os, selectors, signal, socket, threading, time
class native:
    @staticmethod
    def sleep(seconds):
        import ctypes
        ctypes.CDLL(None).usleep(int(seconds * 1_000_000))
def ticking():
    made = []
    def tick():
        while True:
            time.sleep(0.01)
            made.append(1)
    threading.Thread(target=tick, daemon=True).start()
    return lambda: len(made)
assert runtime.is_patched()
"""


def done(steps: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", steps],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("name", sorted(GREEN))
def test_each_library_gives_the_same(name: str, steps: str) -> None:
    found = done(f"{BEGIN}\n{steps}\nprint(runtime.async_mode(), runtime.pool())", RUNTIME=name)
    assert (found.returncode, found.stdout.split()) == (0, [name, name]), found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("value", ["", "EVENTLET", "'eventlet'", "asyncio"])
def test_without_a_known_name_it_is_eventlet(value: str) -> None:
    found = done(f"{BEGIN}\nprint(runtime.pool())", RUNTIME=value)
    assert found.stdout.split() == ["eventlet"], found.stderr


def test_the_settings_know_the_same_names() -> None:
    for name in GREEN:
        assert Settings.load({"RUNTIME": name}).runtime == name
    assert Settings.load({}).runtime == runtime.DEFAULT
    with pytest.raises(SettingsError, match="RUNTIME"):
        Settings.load({"RUNTIME": "asyncio"})


def test_a_library_that_is_not_installed_is_named() -> None:
    hidden = "import sys; sys.modules['gevent'] = None\n"
    found = done(hidden + BEGIN, RUNTIME="gevent")
    assert found.returncode == 1
    assert found.stderr.strip() == (
        "RUNTIME: gevent is not installed; pip install 'holdfast[gevent]'"
    )
