"""`python -m deploy.demo_gateway --port N`: the demo gateway as a process.

Prints one JSON line when it listens. SIGTERM and SIGINT end it at once, with code 0. Its API key
is in the variable DEMO_GATEWAY_KEY, for everybody may read a command line; without it every
request is let in.
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

from aiohttp import web

from deploy.demo_gateway import KEY_VARIABLE
from deploy.demo_gateway.app import build_app
from deploy.demo_gateway.gateway import Gateway, Options, build_gateway

BACKLOG = 1024


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo_gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--port-file", type=Path, help="gets the port once it listens")
    parser.add_argument("--max-runs", type=int, default=10, help="at the same time; 0: no cap")
    parser.add_argument("--keepalive", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--session-delay", type=float, default=0.15, metavar="SECONDS")
    parser.add_argument("--model", default="demo-model")
    parser.add_argument("--journal", type=Path, help="file that gets all that it does, at once")
    parser.add_argument("--replay", action="store_true", help="streams may be read again")
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
