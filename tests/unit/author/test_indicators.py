"""Indicators that tell nothing are known, and those that do are left alone."""

import pytest

from ringfence.author.indicators import DIGEST_LISTS, EMPTY_LIST, POPULAR_LISTS, SHARED_LISTS, _words, trouble_with


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("10.0.0.1", "private-address"),
        ("10.0.0.1:4444", "private-address"),
        ("tcp://192.168.1.1:80/", "private-address"),
        ("172.16.0.0/12", "private-address"),
        ("0.0.0.0/0", "private-address"),
        ("0.0.0.0", "private-address"),
        ("127.0.0.53", "private-address"),
        ("169.254.169.254", "private-address"),
        ("192.0.2.7", "private-address"),
        ("224.0.0.1", "private-address"),
        ("::1", "private-address"),
        ("fe80::1", "private-address"),
        ("[2001:db8::1]", "private-address"),
        ("8.8.8.8", "shared-address"),
        ("1[.]1[.]1[.]1", "shared-address"),
        ("2606:4700:4700::1111", "shared-address"),
        ("co.uk", "public-suffix"),
        (".github.io", "public-suffix"),
        ("www.example.com", "reserved-name"),
        ("host.test", "reserved-name"),
        ("GOOGLE.com", "popular-domain"),
        ("https://www.google.com/", "popular-domain"),
        ("hxxps://pastebin.com", "popular-domain"),
        ("d41d8cd98f00b204e9800998ecf8427e", "empty-file-hash"),
        ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", "empty-file-hash"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "empty-file-hash"),
    ],
)
def test_what_tells_nothing(text: str, code: str) -> None:
    trouble = trouble_with(text)
    assert trouble is not None
    assert trouble.code == f"indicator/{code}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "45.9.148.99",
        "pool.minexmr.com",
        "xk3m9q.github.io",
        "http://www.google.com/search?q=x",
        "connect to 10.0.0.1",
        "999.1.1.1",
        "1.2.3",
        "readme.md",
        "libc.so",
        "0123456789abcdef0123456789abcdef",
        "a" * 10_000,
        "not.an indicator",
        "::not::an::address::",
    ],
)
def test_what_may_tell_something(text: str) -> None:
    assert trouble_with(text) is None


@pytest.mark.parametrize("name", [*POPULAR_LISTS, *SHARED_LISTS, *DIGEST_LISTS, EMPTY_LIST])
def test_every_list_is_there(name: str) -> None:
    assert _words(name)
