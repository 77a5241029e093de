"""Addresses to listen on: IPv4, IPv6, names, and why one cannot (C18)."""

import errno
import os
import socket

import pytest

from deploy.local.ports import free_port, is_free, obstacle
from shared import runtime
from shared.errors import SettingsError
from shared.listening import bound, reason, url


@pytest.mark.parametrize(
    ("host", "clients"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("[::1]", ["::1"]),
        ("::", ["127.0.0.1", "::1"]),
        ("0:0:0:0:0:0:0:0", ["127.0.0.1", "::1"]),
        ("localhost", ["localhost"]),
    ],
)
def test_clients_reach_what_listens(host: str, clients: list[str]) -> None:
    port = free_port(host)
    listener = runtime.listen(host, port)
    try:
        assert not is_free(host, port)
        assert "taken" in (obstacle(host, port) or "")
        runtime.listen(host, port).close()  # a second web process
        for client in clients:
            socket.create_connection((client, port), timeout=5).close()
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("host", "port", "shown"),
    [
        ("127.0.0.1", 1, "http://127.0.0.1:1"),
        ("0.0.0.0", 1, "http://127.0.0.1:1"),
        ("::", 1, "http://127.0.0.1:1"),
        ("::1", 1, "http://[::1]:1"),
        ("[::1]", 1, "http://[::1]:1"),
        ("fe80::1%eth0", 1, "http://[fe80::1%25eth0]:1"),
        ("my.host", 1, "http://my.host:1"),
    ],
)
def test_the_url_for_a_browser(host: str, port: int, shown: str) -> None:
    assert url(host, port) == shown


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "no such address"),
        ("2001:db8::1", "no such address"),
        ("no.such.host.invalid", "no such address"),
        ("http://localhost", "no such address"),
        ("256.1.1.1", "no such address"),
        ("a" * 70, "no such address"),
        ("schön..", "no such address"),
    ],
)
def test_the_real_reason_is_said(host: str, said: str) -> None:
    assert said in (obstacle(host, free_port()) or "")
    with pytest.raises(SettingsError, match=said):
        runtime.listen(host, 0)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "administrators"),
        (errno.EADDRINUSE, "taken"),
        (errno.EAFNOSUPPORT, "of that kind"),
        (errno.EMFILE, "Too many"),
        (errno.ENOBUFS, "No buffer"),
    ],
)
def test_each_error_has_its_words(number: int, said: str) -> None:
    error = OSError(number, os.strerror(number))
    assert said in reason(error, "::", 80)


def test_a_listener_on_one_kind_of_address_is_found_by_the_other() -> None:
    port = free_port()
    with bound("127.0.0.1", port) as listener:
        listener.listen()
        assert not is_free("::", port)


@pytest.mark.parametrize("host", ["0", "0.0.0.0", "0x0", "[::]", "::"])
def test_a_client_here_reaches_all_addresses_at_the_own_one(host: str) -> None:
    assert url(host, 80) == "http://127.0.0.1:80"
