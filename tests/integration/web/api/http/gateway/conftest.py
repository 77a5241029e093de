"""A web process in front of gateways whose answers tests prescribe, and two users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from shared.user_tokens import digest
from tests.integration.web.test_process import start_web
from tests.support.gateways.document_gateway import DocumentGateway, Gate
from tests.support.http_api import ApiClient
from tests.support.migrated import migrated
from tests.support.servers.processes import Processes, RunningProcess
from tests.support.servers.redis_server import RedisServer

KEY = "key-of-the-gateway"


@dataclass
class Site:
    """Both users may use the profile `default`, and alice alone `work`, `gone`, whose gateway does
    not answer, and NAMES."""

    url: str
    server: DocumentGateway
    process: RunningProcess

    @property
    def alice(self) -> ApiClient:
        return ApiClient(self.url, "token-of-alice")

    @property
    def bob(self) -> ApiClient:
        return ApiClient(self.url, "token-of-bob")


NAMES = [f"gate-{n}" for n in range(40)]
_unused = iter(NAMES)


@pytest.fixture
def gate(site: Site) -> Gate:
    """The gateway of a profile that no other test uses."""
    return site.server.gate(next(_unused))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    tokens, profiles = home / "users.toml", home / "profiles.toml"
    tokens.touch(mode=0o600)
    users = {"alice": digest("token-of-alice"), "bob": digest("token-of-bob")}
    tokens.write_text(
        "[users]\n"
        + "".join(f'{name} = "{found}"\n' for name, found in users.items())
        + '[profiles]\nbob = ["default"]\n'
    )
    database_url = f"sqlite:///{home / 'test.db'}"
    migrated(database_url)
    with ExitStack() as left:
        gateways = DocumentGateway()
        left.callback(gateways.stop)
        profiles.touch(mode=0o600)
        profiles.write_text(
            f'[profiles.work]\nurl = "{gateways.gate("work").url}"\napi_key = "{KEY}-work"\n'
            'context_length = 5000\n[profiles.gone]\nurl = "http://127.0.0.1:9"\n'
            + "".join(
                f'[profiles.{name}]\nurl = "{gateways.gate(name).url}"\napi_key = "{KEY}"\n'
                for name in NAMES
            )
        )
        server = RedisServer()
        left.callback(server.stop)
        processes = Processes(home)
        left.callback(processes.stop_all)
        url, process = start_web(
            processes,
            server.url,
            database_url,
            home,
            TOKENS_FILE=str(tokens),
            PROFILES_FILE=str(profiles),
            HERMES_URL=gateways.gate("default").url,
            HERMES_API_KEY=KEY,
            HERMES_HOME=str(home / "no-hermes"),
        )
        yield Site(url, gateways, process)
