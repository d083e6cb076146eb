"""Whether a text that is an address, a name or a digest and nothing else can tell bad from good.

1. Addresses that are private, loopback, reserved or multicast exist in every network; those of resolvers and of large
   delivery networks belong to everybody.
2. Names: a public suffix (`co.uk`) is no name of anybody; reserved ones (`example.com`) are in every manual; popular
   ones are in the files of everybody.
3. Digests of nothing, and those that are known to be wrong in lists of indicators.

The lists are those of MISP and of the public suffixes, as their packages carry them: no network is asked.  A text
with a path, or with anything beside the indicator, is not judged.
"""

import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from publicsuffixlist import PublicSuffixList

from ringfence.model.limits import NAME_CHARACTERS_MAX

POPULAR_LISTS: Final = tuple(
    "tranco10k majestic_million cisco_top10k alexa moz-top500 google microsoft microsoft-office365 lots-project"
    " bank-website whats-my-ip url-shortener captive-portals microsoft-win10-connection-endpoints".split()
)
SHARED_LISTS: Final = tuple(
    "akamai apple cloudflare fastly github googlebot microsoft-office365-ip public-dns-v4 public-dns-v6 stackpath"
    " wikimedia".split()
)
DIGEST_LISTS: Final = tuple("common-ioc-false-positive nioc-filehash ti-falsepositives mozilla-CA".split())
EMPTY_LIST: Final = "empty-hashes"

_FRAME: Final = re.compile(r"(?:(?:https?|hxxps?|ftp|tcp|udp)://)?(?P<host>[^/\s]+?)/?", re.IGNORECASE)
_PORT: Final = re.compile(r":[0-9]{1,5}")
_IPV4: Final = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/[0-9]{1,2})?")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"\.?(?P<name>(?:{_LABEL}\.)+{_LABEL})")
_RESERVED_NAMES: Final = re.compile(r"(?:.*\.)?(?:example(?:\.(?:com|net|org|edu))?|invalid|localhost|test)")
_DOCUMENTATION: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "100.64.0.0/10")
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an indicator tells nothing."""

    code: str
    text: str


def trouble_with(text: str) -> Trouble | None:
    """Why `text`, if it is an indicator and nothing else, tells nothing; None where it is none, or a good one."""
    folded = text.strip().lower()
    if len(folded) > 4 * NAME_CHARACTERS_MAX:
        return None
    if _DIGEST.fullmatch(folded):
        return _digest(folded)
    if _IPV4.fullmatch(folded):
        return _address(folded)
    framed = _FRAME.fullmatch(folded)
    if framed is None:
        return None
    host = framed["host"]
    if (port := _PORT.search(host)) and port.end() == len(host) and host.count(":") == 1:
        host = host[: port.start()]
    host = host.replace("[.]", ".").strip("[]")
    if _IPV4.fullmatch(host) or host.count(":") > 1:
        return _address(host)
    named = _NAME.fullmatch(host)
    return _name(named["name"]) if named else None


def _address(text: str) -> Trouble | None:
    """Rule 1."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    address = network.network_address
    if not network.prefixlen:
        return Trouble("indicator/private-address", f"{text} is every address")
    kinds = {
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "unspecified": address.is_unspecified,
        "documentation or shared": any(address in one for one in _DOCUMENTATION if one.version == address.version),
        "private": address.is_private,
        "reserved": address.is_reserved,
    }
    if kind := next((name for name, holds in kinds.items() if holds), ""):
        return Trouble("indicator/private-address", f"{text} is a {kind} address: every network has it")
    owner = next((name for name in SHARED_LISTS if _in_networks(address, _networks(name))), "")
    if owner:
        return Trouble("indicator/shared-address", f"{text} serves everybody (MISP warning list {owner})")
    return None


def _name(text: str) -> Trouble | None:
    """Rule 2."""
    if _RESERVED_NAMES.fullmatch(text):
        return Trouble("indicator/reserved-name", f"{text} is a reserved name: every manual has it")
    if _suffixes().is_public(text):
        return Trouble("indicator/public-suffix", f"{text} is a public suffix, under which anybody has a name")
    bare = text.removeprefix("www.")
    known = next((name for name in POPULAR_LISTS if {text, bare} & _words(name)), "")
    if known:
        return Trouble("indicator/popular-domain", f"{text} is popular (MISP warning list {known})")
    return None


def _digest(text: str) -> Trouble | None:
    """Rule 3."""
    if text in _words(EMPTY_LIST):
        return Trouble("indicator/empty-file-hash", f"{text} is the digest of nothing at all")
    known = next((name for name in DIGEST_LISTS if text in _words(name)), "")
    if known:
        return Trouble("indicator/known-good-hash", f"{text} is known to be good (MISP warning list {known})")
    return None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


@cache
def _words(name: str) -> frozenset[str]:
    """The entries of a warning list."""
    path = files("pymispwarninglists").joinpath("data", "misp-warninglists", "lists", name, "list.json")
    return frozenset(str(word).lower().removeprefix("*.") for word in json.loads(path.read_bytes())["list"])


Networks = dict[int, frozenset[int]]
"""First address of each network, as a number, by length of its prefix."""


@cache
def _networks(name: str) -> dict[int, Networks]:
    """The networks of a warning list, by version of the protocol."""
    found: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
    for word in _words(name):
        network = ipaddress.ip_network(word, strict=False)
        found[network.version].setdefault(network.prefixlen, set()).add(int(network.network_address))
    return {version: {length: frozenset(ones) for length, ones in by.items()} for version, by in found.items()}


def _in_networks(address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: dict[int, Networks]) -> bool:
    bits = address.max_prefixlen
    lengths: Iterable[tuple[int, frozenset[int]]] = networks[address.version].items()
    return any((int(address) >> (bits - length)) << (bits - length) in firsts for length, firsts in lengths)
