"""What is used of the libraries' undocumented names exists, and only one module uses them."""

import ast
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import engineio
import engineio.packet
import engineio.socket
import pytest
import socketio
import socketio.base_manager
from packaging.requirements import Requirement
from packaging.version import Version

from shared.protocol.events import NAMESPACE
from tests.support.paths import ROOT
from web.sockets.engineio_internals import KNOWN_VERSIONS, IncompatibleLibrary, SocketServer, check

ALLOWED = ROOT / "web/sockets/engineio_internals.py"
#: Undocumented attributes of the two servers that have no leading underscore.
UNDOCUMENTED = {"eio", "environ", "manager", "packet_class", "start_service_task"}


def server() -> socketio.Server:
    return socketio.Server(async_mode="threading", monitor_clients=False)


def test_the_installed_versions_have_all_that_is_used() -> None:
    check(server())


@pytest.mark.parametrize(
    ("owner", "name", "shown"),
    [
        (engineio.base_server.BaseServer, "_bad_request", "Server._bad_request()"),
        (engineio.socket.Socket, "_upgrade_websocket", "Socket._upgrade_websocket(environ, start"),
        (engineio.packet, "UPGRADE", "packet.UPGRADE"),
        (socketio.Server, "_send_packet", "Server._send_packet(eio_sid, pkt)"),
        (socketio.Server, "_handle_event_internal", "Server._handle_event_internal(server, sid"),
        (socketio.base_manager.BaseManager, "sid_from_eio_sid", "manager.sid_from_eio_sid(eio_"),
    ],
)
def test_a_name_that_is_gone_is_named_with_the_library_its_version_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, shown: str
) -> None:
    built = server()
    monkeypatch.delattr(owner, name)
    with pytest.raises(IncompatibleLibrary) as raised:
        check(built)
    message = str(raised.value)
    library = raised.value.library
    assert library == ("python-engineio" if "engineio" in str(owner) else "python-socketio")
    assert shown in message
    assert f"{library} {metadata.version(library)}" in message
    assert f"known to work with {library} {KNOWN_VERSIONS[library]}" in message
    assert "requirements.lock" in message


def test_an_attribute_of_the_server_that_is_gone_is_named() -> None:
    built = server()
    del built.environ
    with pytest.raises(IncompatibleLibrary, match=r"`Server\.environ`"):
        check(built)


def test_a_function_that_takes_other_parameters_counts_as_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def send_packet(self: object, eio_sid: str, pkt: object, priority: int) -> None: ...

    monkeypatch.setattr(socketio.Server, "_send_packet", send_packet)
    with pytest.raises(IncompatibleLibrary, match="_send_packet"):
        check(server())


def test_the_check_is_made_before_anything_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(engineio.packet, "UPGRADE")
    with pytest.raises(IncompatibleLibrary):
        SocketServer(server())


def test_the_known_versions_are_those_that_may_be_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    allowed = {Requirement(line).name: Requirement(line) for line in project["dependencies"]}
    for library, known in KNOWN_VERSIONS.items():
        major, minor = map(int, known.split("."))
        assert Version(f"{known}.99") in allowed[library].specifier
        assert Version(f"{major}.{minor + 1}") not in allowed[library].specifier


def test_the_answer_to_connect_carries_the_added_fields_and_nothing_else_is_changed() -> None:
    built, sent, answered = server(), list[object](), list[str]()
    built._send_packet = lambda eio_sid, pkt: sent.append(pkt.data)
    SocketServer(built).extend_connect_answer(lambda sid: {"pid": f"of {sid}"}, answered.append)
    packet, connect = built.packet_class, socketio.packet.CONNECT
    built._send_packet("t", packet(connect, {"sid": "s"}, namespace=NAMESPACE))
    built._send_packet("t", packet(connect, {"sid": "o"}, namespace="/other"))
    built._send_packet("t", packet(socketio.packet.EVENT, ["a"], namespace=NAMESPACE))
    assert sent == [{"sid": "s", "pid": "of s"}, {"sid": "o"}, ["a"]]
    assert answered == ["s"]


def test_no_other_module_reaches_into_the_libraries() -> None:
    modules = [path for path in (ROOT / "web").rglob("*.py") if path != ALLOWED]
    assert [fault for path in modules for fault in faults(path)] == []


def test_the_scan_finds_each_way_to_reach_in(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import engineio.packet\nserver._send_packet(1)\nx = self.y.eio\n")
    assert [fault.rpartition(":")[2] for fault in faults(module)] == [
        " imports engineio.packet",
        " .eio",
        " ._send_packet",
    ]


def faults(path: Path) -> Iterator[str]:
    """Imports of the libraries, underscored attributes of others than `self`, known names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        imported = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        for name in imported:
            if name.partition(".")[0] in {"engineio", "socketio"}:
                yield f"{path}:{node.lineno}: imports {name}"  # type: ignore[attr-defined]
        if isinstance(node, ast.Attribute) and _reaches_in(node):
            yield f"{path}:{node.lineno}: .{node.attr}"


def _reaches_in(node: ast.Attribute) -> bool:
    if ast.unparse(node) == "request.environ":
        return False  # Flask's own
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    if node.attr.startswith("_") and not node.attr.startswith("__"):
        return owner not in {"self", "cls"}
    return node.attr in UNDOCUMENTED and owner not in {"self", "os"}
