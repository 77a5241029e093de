"""`socket.io-client` from npm, in a Node process that takes orders as lines of JSON."""

from __future__ import annotations

import fcntl
import json
import subprocess
import threading
from typing import Any, Self

from tests.support.paths import ROOT
from tests.support.recording import Payload, Recording

SCRIPTS = ROOT / "tests" / "acceptance" / "js"


def install() -> None:
    """`npm ci`, unless what the lock file names is there. Several processes may ask at once."""
    lock, stamp = SCRIPTS / "package-lock.json", SCRIPTS / "node_modules" / ".installed"
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "npm.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == lock.read_text():
            return
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=SCRIPTS, check=True, capture_output=True
        )
        stamp.write_text(lock.read_text())


class JsClient(Recording):
    """One script under way; its lines `{event, data}` are recorded."""

    def __init__(self, script: str, url: str, token: str, **options: Any) -> None:
        """Start it and have it connect; `options` are the script's own."""
        super().__init__(script)
        self._process = subprocess.Popen(
            ["node", str(SCRIPTS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="js-client", daemon=True)
        self._reader.start()
        self.send("connect", url=url, token=token, **options)

    def send(self, order: str, **fields: Any) -> None:
        """Send the script an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": order, **fields}) + "\n")
        self._process.stdin.flush()

    def acknowledged(self, name: str, payload: Any) -> Payload:
        """Emit with an acknowledgement and give it."""
        mark = self.mark()
        self.send("call", name=name, payload=payload)
        return self.wait_for("ack", since=mark)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            item = json.loads(line)
            self.add(item["event"], item.get("data"))
