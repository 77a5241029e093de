"""Which pages and host names may use a server."""

from __future__ import annotations

from typing import Any

import pytest

from web.server.forwarded import Forwarded, parse_networks
from web.server.origins import LOOPBACK_HOSTS, Origins, parse_host, parse_origin

PROXY = "10.0.0.1"


def rule(*allowed: str, hosts: tuple[str, ...] = (), proxies: tuple[str, ...] = ()) -> Origins:
    return Origins(allowed, hosts, Forwarded(parse_networks(proxies)))


def asked(origin: str | None = None, host: str = "chat.example.org", **more: Any) -> dict[str, Any]:
    environ = {"REMOTE_ADDR": PROXY, "HTTP_HOST": host, "wsgi.url_scheme": "http", **more}
    return environ if origin is None else environ | {"HTTP_ORIGIN": origin}


@pytest.mark.parametrize(
    "written",
    ["https://app.example.org", "https://App.Example.org/", "HTTPS://app.example.org:443"],
)
def test_an_origin_is_the_same_however_it_is_written(written: str) -> None:
    assert rule(written).allows_origin(asked("https://app.example.org"))
    assert rule("https://app.example.org").allows_origin(asked(written))


def test_a_list_does_not_switch_the_own_origin_off() -> None:
    listed = rule("https://app.example.org")
    assert listed.allows_origin(asked("http://chat.example.org"))
    assert not listed.allows_origin(asked("https://chat.example.org"))
    assert not listed.allows_origin(asked("http://chat.example.org:8080"))
    assert listed.allows_origin(asked("http://chat.example.org:80"))


def test_without_origin_no_page_sent_it_and_star_allows_all() -> None:
    assert rule().allows_origin(asked())
    assert rule("*").allows_origin(asked("https://anywhere.example"))
    assert not rule().allows_origin(asked("null"))
    assert not rule().allows_origin(asked("https://evil.example"))


def test_our_own_page_is_no_other_that_is_allowed_and_no_program() -> None:
    listed = rule("https://app.example.org", "*")
    assert listed.is_own_page(asked("http://chat.example.org"))
    for other in ("https://app.example.org", "http://chat.example.org:81", "null", "", "x"):
        assert not listed.is_own_page(asked(other)), other
    assert not listed.is_own_page(asked())
    for said, counts in (("same-origin", True), ("same-site", False), ("none", False)):
        assert listed.is_own_page(asked(HTTP_SEC_FETCH_SITE=said)) is counts
    both = asked("https://evil.example", HTTP_SEC_FETCH_SITE="same-origin")
    assert not listed.is_own_page(both)


def test_a_forwarded_host_counts_only_from_a_trusted_proxy() -> None:
    said = {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_FORWARDED_PROTO": "https"}
    assert not rule().allows_origin(asked("https://evil.example", **said))
    trusting = rule(proxies=("10.0.0.0/8",))
    assert trusting.allows_origin(asked("https://evil.example", **said))


def test_host_names_are_compared_without_case_port_and_final_dot() -> None:
    only = rule(hosts=LOOPBACK_HOSTS)
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "localhost."):
        assert only.allows_host(asked(host=host)), host
    for host in ("evil.example", "", "localhost.evil.example", "127.0.0.1@evil.example", "a b"):
        assert not only.allows_host(asked(host=host)), host
    assert rule().allows_host(asked(host="any.example"))


@pytest.mark.parametrize(
    "text", ["", "null", "example.org", "https://", "https://a:b", "//a", "a://b"]
)
def test_what_is_no_origin_is_none(text: str) -> None:
    assert parse_origin(text) is None


def test_a_setting_that_is_no_origin_is_refused_with_what_to_write() -> None:
    with pytest.raises(ValueError, match="write it like"):
        rule("app.example.org")


def test_hosts_are_parsed() -> None:
    assert parse_host("A.b:80") == ("a.b", 80)
    assert parse_host("[::1]") == ("[::1]", None)
    assert parse_host("a:b") is None


@pytest.mark.parametrize(
    ("remote", "said", "found"),
    [
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        (PROXY, "198.51.100.1", "198.51.100.1"),
        (PROXY, "203.0.113.7, 198.51.100.1", "198.51.100.1"),
        (PROXY, "203.0.113.7, 10.1.1.1", "203.0.113.7"),
        (PROXY, "", PROXY),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_client_is_the_last_hop_that_no_trusted_proxy_has(
    remote: str, said: str, found: str
) -> None:
    environ = {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": said}
    assert Forwarded(parse_networks(["10.0.0.0/8"])).client_address(environ) == found
