"""The published repository over the server's own HTTPS, for anybody, and nothing beside it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.control.server_process import RunningServer, running_server
from tests.support.content_repository import ContentRepository, small_release

ONE = small_release(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    path = tmp_path_factory.mktemp("served")
    repository = ContentRepository(path / "author")
    repository.add(ONE)
    repository.publish(ONE)
    with running_server(path / "state") as running:
        shutil.copytree(repository.path / "repository", path / "state/server/repository", symlinks=True)
        (path / "state/server/repository/current/metadata/secret.txt").symlink_to("/etc/passwd")
        (path / "state/server/keys").mkdir(mode=0o700)
        (path / "state/server/keys/timestamp.key").write_text("secret")
        yield running


def test_anybody_gets_the_metadata_and_the_release(server: RunningServer) -> None:
    client = server.client()
    stamp = client.get("/repository/metadata/timestamp.json")
    assert stamp.status_code == 200
    assert stamp.headers["cache-control"] == "no-cache"
    root = client.get("/repository/metadata/1.root.json")
    assert "immutable" in root.headers["cache-control"]
    (name,) = [one.name for one in (server.state / "server/repository/current/targets/releases").iterdir()]
    release = client.get(f"/repository/targets/releases/{name}")
    assert release.content == ONE
    assert client.head(f"/repository/targets/releases/{name}").headers["content-length"] == str(len(ONE))


@pytest.mark.parametrize(
    "path",
    [
        "metadata/2.root.json", "metadata", "metadata/", "targets/releases", "", "lock", "current/metadata/1.root.json",
        "metadata/../lock", "metadata/..%2f..%2f..%2fkeys%2ftimestamp.key", "%2e%2e/keys/timestamp.key",
        "metadata/secret.txt", "metadata/.hidden", "metadata/a/b", "metadata/%00",
        f"metadata/{'x' * 300}",
    ],
)  # fmt: skip
def test_there_is_nothing_else(server: RunningServer, path: str) -> None:
    answer = server.client().get(f"/repository/{path}")
    assert answer.status_code in (400, 404), (path, answer.status_code)
    assert b"secret" not in answer.content
    assert b"root:" not in answer.content


def test_nothing_is_written_through_it(server: RunningServer) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert server.client().request(method, "/repository/metadata/timestamp.json").status_code == 405


def test_a_new_generation_is_served_at_once(server: RunningServer, tmp_path: Path) -> None:
    repository = server.state / "server/repository"
    before = server.client().get("/repository/metadata/timestamp.json").content
    shutil.copytree(repository / "generations/00000001", repository / "generations/00000002", symlinks=True)
    (repository / "generations/00000002/metadata/timestamp.json").unlink()
    (repository / "generations/00000002/metadata/timestamp.json").write_bytes(b"{}")
    (tmp_path / "link").symlink_to("generations/00000002")
    shutil.move(tmp_path / "link", repository / "current.new")
    (repository / "current.new").replace(repository / "current")
    assert server.client().get("/repository/metadata/timestamp.json").content == b"{}" != before
