"""A throw-away Prometheus that scrapes the processes of a test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml

from deploy.local.ports import LOOPBACK, free_port
from tests.support.servers.processes import wait_until

SCRAPED_EVERY = 2  # seconds


@dataclass(frozen=True)
class Series:
    """What a query found: labels, and values as (Unix time in seconds, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class PrometheusServer:
    """Running, in a folder of its own. Targets on which nobody listens are down."""

    def __init__(self, ports: Sequence[int]) -> None:
        """Start it, and wait until it answers. `ports`: of this machine."""
        self._folder = Path(tempfile.mkdtemp(prefix="holdfast-prometheus-"))
        configuration = self._folder / "prometheus.yml"
        targets = [f"{LOOPBACK}:{port}" for port in ports]
        job = {"job_name": "holdfast", "static_configs": [{"targets": targets}]}
        every = {"scrape_interval": f"{SCRAPED_EVERY}s"}
        configuration.write_text(yaml.safe_dump({"global": every, "scrape_configs": [job]}))
        address = f"{LOOPBACK}:{free_port()}"
        self._url = f"http://{address}"
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={address}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._answers, within=30, what="Prometheus answers")

    def query_range(self, query: str, begin: float, end: float, step: float) -> list[Series]:
        """The values of a query between two Unix times, every `step` seconds."""
        asked: dict[str, str | float] = {"query": query, "start": begin, "end": end, "step": step}
        answer = requests.get(f"{self._url}/api/v1/query_range", params=asked, timeout=30).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return [
            Series(one["metric"], [(float(at), float(value)) for at, value in one["values"]])
            for one in answer["data"]["result"]
        ]

    def stop(self) -> None:
        """End it and delete its folder."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "prometheus.log").read_text())
        try:
            return requests.get(f"{self._url}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False
