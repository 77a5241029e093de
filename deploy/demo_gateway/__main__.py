"""A gateway without a model, for trials and tests. It prints one JSON line when it listens.

SIGTERM and SIGINT end it at once, with code 0. Its API key is the variable DEMO_GATEWAY_KEY (every
user of the machine can read command lines); without a key every request is accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.demo_gateway import KEY_VARIABLE
from deploy.demo_gateway.app import build_app
from deploy.demo_gateway.gateway import Gateway, Options, build_gateway

BACKLOG = 1024


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo_gateway", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add("--port", type=int, required=True, help="port to listen on; 0: any free one")
    add("--port-file", type=Path, help="file to write the port to, when it listens")
    add("--max-runs", type=int, default=10, help="limit of concurrent runs; 0: none (10)")
    seconds: dict[str, Any] = {"type": float, "metavar": "SECONDS"}
    add("--keepalive", default=30.0, help="silence before a keep-alive comment (30)", **seconds)
    add("--session-delay", default=0.15, help="before a run's session exists (0.15)", **seconds)
    add("--model", default="demo-model", help="name of its model (demo-model)")
    add("--journal", type=Path, help="file to append a line to for each thing it does")
    add("--replay", action="store_true", help="allow event streams to be read again")
    add("--idempotent", action="store_true", help="keep the idempotency keys of posted runs")
    add("--no-sessions", action="store_true", help="no /api/sessions, no counts, as the oldest")
    return parser.parse_args(arguments)


def main() -> None:
    """Serve until a signal."""
    arguments = parse_arguments(sys.argv[1:])
    options = Options(
        api_key=os.environ.get(KEY_VARIABLE, ""),
        max_runs=max(0, arguments.max_runs),
        keepalive=arguments.keepalive,
        session_delay=arguments.session_delay,
        replay=arguments.replay,
        idempotent=arguments.idempotent,
        no_sessions=arguments.no_sessions,
        model=arguments.model,
        journal=arguments.journal,
    )
    try:
        asyncio.run(_serve(build_gateway(options), arguments))
    except OSError as error:
        sys.exit(f"demo gateway: cannot listen on port {arguments.port}: {error.strerror}")


async def _serve(gateway: Gateway, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(build_app(gateway), handle_signals=False, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, arguments.host, arguments.port, backlog=BACKLOG)
    await site.start()
    sweeper = asyncio.create_task(gateway.runs.sweep_for_ever())
    _announce(arguments, runner.addresses[0][1])
    await stop.wait()
    # Runs and open streams are not waited for: they end with the loop.
    sweeper.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sweeper


def _announce(arguments: argparse.Namespace, port: int) -> None:
    if arguments.port_file is not None:
        draft = arguments.port_file.with_suffix(f".{os.getpid()}")
        draft.write_text(f"{port}\n", encoding="ascii")
        draft.replace(arguments.port_file)
    line = {
        "event": "demo_gateway.listening",
        "url": f"http://{arguments.host}:{port}",
        "host": arguments.host,
        "port": port,
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
