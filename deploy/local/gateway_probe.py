"""Checks whether a Hermes gateway or a web process answers, and whether it accepts our key."""

from dataclasses import dataclass
from pathlib import Path

import requests

TIMEOUT = 3.0  # seconds; a gateway that needs longer for /health counts as not answering


@dataclass(frozen=True)
class ProbeResult:
    """What was found: it `answers` to /health, and we are `authorized` with our key.

    `foreign`: something answers there that is no gateway, or that we cannot talk to.
    """

    answers: bool
    authorized: bool
    detail: str
    foreign: bool = False


def probe(url: str, api_key: str, ca_file: Path | None = None) -> ProbeResult:
    """Ask the gateway at `url` for its health, then for something that needs the key. `ca_file`:
    see `Profile`."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy for a gateway on this machine
        session.verify = str(ca_file) if ca_file else True
        try:
            health = session.get(f"{url}/health", timeout=TIMEOUT, allow_redirects=False)
            if health.status_code != 200:
                return ProbeResult(
                    False, False, f"/health answers {health.status_code}", foreign=True
                )
            # No run has this id: 404 with a valid key, 401 or 403 with an invalid one.
            answer = session.get(
                f"{url}/v1/runs/holdfast-doctor",
                headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError:
            detail = "its certificate is not trusted: GATEWAY_CA_FILE"
            return ProbeResult(False, False, detail, foreign=True)
        except requests.RequestException as error:
            return ProbeResult(False, False, type(error).__name__)
    authorized = answer.status_code not in {401, 403}
    return ProbeResult(True, authorized, "ok" if authorized else "refuses HERMES_API_KEY")


def answering_process(url: str) -> int | None:
    """Return the id of the process that answers a GET of `url` within a second; 0 if the answer
    does not say, None if there is none."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(url, timeout=1, allow_redirects=False)
        except requests.RequestException:
            return None
    try:
        pid = answer.json().get("pid")
    except (ValueError, AttributeError):
        return 0
    return pid if isinstance(pid, int) else 0


def is_healthy(url: str) -> bool:
    """Whether a GET of `url` is answered with 200 within a second."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=1).status_code == 200
        except requests.RequestException:
            return False
