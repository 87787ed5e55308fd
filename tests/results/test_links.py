"""Links: which are taken as a proof."""

from __future__ import annotations

from typing import Final

import pytest

from whatworks.results import links

GOOD: Final = [
    "https://example.com",
    "https://example.com/",
    "https://example.com/a.png?x=1&y=2#top",
    "https://example.com:8443/a",
    "https://sub.example.co.uk/%F0%9F%98%80",
    "https://bücher.example.org/ü",
    "https://xn--bcher-kva.example.org",
    "https://8.8.8.8/proof",
    "https://[2606:4700::1111]/proof",
    "https://example.com./",
    "HTTPS://example.com",
]
BAD: Final = [
    # not https
    *("", "example.com", "http://example.com", "ftp://example.com", "//example.com", "/other"),
    *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"),
    *("gopher://example.com", "mailto:a@example.com", "https:/example.com", "https:example.com"),
    # no host, or not a public name
    *("https://", "https:///path", "https://localhost", "https://localhost:8000/", "https://intranet"),
    *("https://printer.local", "https://db.internal", "https://router.lan", "https://x.test"),
    *("https://x.invalid", "https://x.onion", "https://.", "https://..", "https://a..b"),
    *("https://-", "https://exa mple.com", "https://example.com\\@evil.com", "https://foo.localhost"),
    # addresses that are not public, in all the ways to write them
    *("https://127.0.0.1", "https://127.1", "https://2130706433", "https://0x7f000001"),
    *("https://0177.0.0.1", "https://0x7f.0.0.1", "https://0", "https://0.0.0.0", "https://10.0.0.1"),
    *("https://192.168.1.1", "https://172.16.0.1", "https://169.254.169.254/latest/meta-data"),
    *("https://100.64.0.1", "https://[::1]", "https://[::]", "https://[fe80::1]", "https://[fc00::1]"),
    *("https://[::ffff:127.0.0.1]", "https://[::ffff:10.0.0.1]", "https://[::ffff:7f00:1]"),
    *("https://[64:ff9b::7f00:1]", "https://[::1", "https://[fe80::1%25eth0]", "https://224.0.0.1"),
    # somebody hidden in it
    *("https://user@example.com", "https://user:password@example.com", "https://example.com@10.0.0.1"),
    *("https://example.com:port", "https://example.com:99999", "https://example.com\n.evil.com"),
    *("https://example.com/\0", "https://example.com/\t", "https://example.com/\u202egpj.exe"),
    *("https://①②⑦.0.0.1", "https://127。0。0。1", "https://ⓛocalhost", "https://example。com@x"),
    # proofs of ours, but not quite
    *("/proofs/", "/proofs/..", "/proofs/../secret-key", "/proofs/018f2b5e", "/proofs/%2e%2e"),
]  # fmt: skip


def test_there_are_enough_forms() -> None:
    assert len(BAD) >= 60
    assert len(set(BAD)) == len(BAD)


@pytest.mark.parametrize("url", GOOD)
def test_links_that_are_taken(url: str) -> None:
    assert links.problem(url) is None


@pytest.mark.parametrize("url", BAD)
def test_links_that_are_not(url: str) -> None:
    assert links.problem(url)
