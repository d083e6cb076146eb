#!/usr/bin/env python3
"""The host's update client behind the command line that the public TUF conformance suite speaks.

    tools/tuf_client.py --metadata-dir DIR init ROOT
    tools/tuf_client.py --metadata-dir DIR --metadata-url URL refresh
    tools/tuf_client.py --metadata-dir DIR --metadata-url URL --target-name PATH --target-base-url URL
                        --target-dir DIR download

It is `host/update_client.py` with `host/content_http.py` as its fetcher: what a courier and an updater do together.
Exit status 0: done; 1: refused.  `make tuf-conformance SUITE=DIR` runs the suite in DIR against it.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError

from ringfence.host.content_http import ContentHttp, NotFetched, NotServed
from ringfence.host.update_client import MemoryFetcher, UpdateClient, fits
from ringfence.model.errors import RingfenceError


class HttpFetcher(MemoryFetcher):
    """Fetches by HTTP, as a courier does."""

    def __init__(self, server: str) -> None:
        self._http = ContentHttp(server, None)

    def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
        """The pieces of one file."""
        parts = urlsplit(url)
        try:
            yield from self._http.get(parts.path + (f"?{parts.query}" if parts.query else ""), bytes_max)
        except NotServed as error:
            raise DownloadHTTPError(url, error.status) from error
        except NotFetched as error:
            raise DownloadError(f"{url}: {error}") from error


def client_of(words: argparse.Namespace) -> UpdateClient:
    """The client for one run."""
    return UpdateClient(
        words.metadata_dir,
        HttpFetcher(words.metadata_url),
        root=None,
        metadata_url=words.metadata_url,
        targets_url=words.target_base_url or "",
    )


def download(words: argparse.Namespace) -> None:
    """Bring every target that is named into the target directory, unless it is there already."""
    client = client_of(words)
    for name in words.target_name:
        target = client.find(name)
        if target is None:
            raise NotFetched(f"{name}: nobody vouches for it")
        path = Path(words.target_dir) / quote(name, "")
        if not path.is_file() or not fits(target, path.read_bytes()):
            path.write_bytes(client.download(target))


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(description="Ringfence's update client, for the TUF conformance suite.")
    parser.add_argument("--metadata-url")
    parser.add_argument("--metadata-dir", required=True)
    parser.add_argument("--target-name", action="append")
    parser.add_argument("--target-dir")
    parser.add_argument("--target-base-url")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root")
    commands.add_parser("refresh")
    commands.add_parser("download")
    words = parser.parse_args(arguments)
    try:
        match words.command:
            case "init":
                Path(words.metadata_dir, "root.json").write_bytes(Path(words.trusted_root).read_bytes())
            case "refresh":
                client_of(words).refresh()
            case "download":
                download(words)
    except (RingfenceError, NotFetched, OSError) as error:
        print(f"tuf_client: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
