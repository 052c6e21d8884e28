# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts that are fetched: real repositories and a real web server, and what is told of addresses."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import read_build
from ansible_collections.fleet.images.plugins.module_utils.build.remote_context import (
    RemoteContext,
    fetch_context,
    parse_remote,
)
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, InputError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.git_server import Repository, WebServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA = "a" * 64


class Cache(t.NamedTuple):
    """A cache folder of a test."""

    folder: Path

    def fetch(self, address: str) -> Path:
        remote = parse_remote(address)
        assert remote is not None
        settings = RegistrySettings(retry=0)
        return Path(fetch_context(remote, cache_folder=str(self.folder), settings=settings))

    def failure(self, address: str) -> ImagesError:
        with pytest.raises(ImagesError) as caught:
            self.fetch(address)
        assert self.drafts() == []
        return caught.value

    def drafts(self) -> list[str]:
        place = self.folder / "contexts"
        return [path.name for path in place.iterdir() if path.name.startswith(".")] if place.exists() else []


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "origin").mkdir()
    return Repository(tmp_path / "origin")


def files(folder: Path) -> dict[str, str]:
    """Return every file below with its text."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv/app", None),
        ("app:1", None),
        ("./dir@home:x", None),
        ("https://host/app.git", RemoteContext("https://host/app.git", "HEAD")),
        ("https://host/app.git#main", RemoteContext("https://host/app.git", "main")),
        ("https://host/app.git#v1:docker/app", RemoteContext("https://host/app.git", "v1", None, "docker/app")),
        ("https://host/app.git#:docker/", RemoteContext("https://host/app.git", "HEAD", None, "docker")),
        ("git@host:team/app.git#" + COMMIT, RemoteContext("git@host:team/app.git", COMMIT)),
        ("ssh://git@host:22/app.git", RemoteContext("ssh://git@host:22/app.git", "HEAD")),
        ("file:///srv/app", RemoteContext("file:///srv/app", "HEAD")),
    ],
)
def test_an_address_is_told_from_a_folder(text: str, expected: RemoteContext | None) -> None:
    assert parse_remote(text) == expected


def test_an_archive_has_its_digest_and_perhaps_a_folder() -> None:
    remote = parse_remote(f"https://host/app.tar.gz#sha256={SHA}:app-1.0")
    assert remote is not None
    assert (remote.url, str(remote.digest), remote.folder) == ("https://host/app.tar.gz", f"sha256:{SHA}", "app-1.0")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://host/app.tar.gz", "context-digest-missing"),
        ("https://host/app", "context-digest-missing"),
        ("https://host/app.tar.gz#sha256=12", "bad-context-address"),
        ("https://user:hunter2@host/app.git", "context-credentials"),
        ("https://hunter2@host/app.git", "context-credentials"),
        ("ssh://git:hunter2@host/app.git", "context-credentials"),
        ("https://host/app.git#--upload-pack=x", "bad-context-address"),
        ("https://host/app.git#main:../x", "bad-context-address"),
        ("https://host:port/app.git", "bad-context-address"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_without_its_secrets(text: str, code: str) -> None:
    with pytest.raises(ImagesError) as caught:
        parse_remote(text)
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


def test_branches_tags_and_commits_are_checked_out_without_git(repository: Repository, cache: Cache) -> None:
    old = repository.commit({"Dockerfile": "old", "app/one": "1"})
    repository.tag("v1")
    repository.commit({"Dockerfile": "new", ".gitignore": "x"})
    repository.commit({"Dockerfile": "side"}, branch="feature/side")
    expected = {"Dockerfile": "old", "app/one": "1"}
    assert files(cache.fetch(f"{repository.url}#v1")) == expected
    assert files(cache.fetch(f"{repository.url}#{old}")) == expected
    assert files(cache.fetch(repository.url)) == {"Dockerfile": "new", ".gitignore": "x"}
    assert files(cache.fetch(f"{repository.url}#feature/side")) == {"Dockerfile": "side"}
    assert files(cache.fetch(f"{repository.url}#refs/heads/main")) == {"Dockerfile": "new", ".gitignore": "x"}
    assert files(cache.fetch(f"{repository.url}#v1:app")) == {"one": "1"}
    assert cache.drafts() == []


def test_a_branch_that_moved_is_fetched_anew_and_what_is_there_is_not(repository: Repository, cache: Cache) -> None:
    first = repository.commit({"Dockerfile": "one"})
    before = cache.fetch(f"{repository.url}#main")
    assert cache.fetch(f"{repository.url}#main") == before
    repository.commit({"Dockerfile": "two"})
    assert files(cache.fetch(f"{repository.url}#main")) == {"Dockerfile": "two"}
    repository.path.rename(repository.path.with_name("gone"))
    assert cache.fetch(f"{repository.url}#{first}") == before
    assert cache.failure(f"{repository.url}#main").code == "git-failed"


@pytest.mark.parametrize("is_smart", [True, False])
def test_web_servers_give_any_commit(repository: Repository, cache: Cache, *, is_smart: bool) -> None:
    old = repository.commit({"Dockerfile": "old"})
    repository.commit({"Dockerfile": "new"})
    repository.tag("v2")
    with WebServer(repository.path.parent, is_smart=is_smart) as server:
        assert files(cache.fetch(f"{server.url}/app.git#v2")) == {"Dockerfile": "new"}
        assert files(cache.fetch(f"{server.url}/app.git#{old}")) == {"Dockerfile": "old"}
        server.asked.clear()
        cache.fetch(f"{server.url}/app.git#{old}")
        assert server.asked == []


def test_submodules_are_part_of_the_context(repository: Repository, cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    part = Repository(tmp_path / "other")
    part.commit({"part": "p"})
    repository.commit({"Dockerfile": "one"})
    with WebServer(part.path.parent, is_smart=True) as server:
        repository.include(f"{server.url}/app.git", "sub")
        folder = cache.fetch(f"{repository.url}#main")
    assert (folder / "sub" / "part").read_text() == "p"
    assert not list(folder.rglob(".git"))


def test_what_a_repository_does_not_have_is_told(repository: Repository, cache: Cache) -> None:
    repository.commit({"Dockerfile": "one", "file": ""})
    for fragment in ("nothing", COMMIT, "main:nowhere", "main:file"):
        assert cache.failure(f"{repository.url}#{fragment}").code == "context-not-found", fragment


def test_a_folder_that_leads_out_of_the_repository_is_refused(repository: Repository, cache: Cache) -> None:
    repository.commit({"Dockerfile": "one"})
    work = repository.path.parent / "work"
    (work / "out").symlink_to("/etc")
    repository.commit({"Dockerfile": "two"})
    assert cache.failure(f"{repository.url}#main:out").code == "context-not-found"


def test_without_git_this_is_told(repository: Repository, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cache.failure(repository.url).code == "git-missing"


def archive(*members: tuple[str, str | None, str]) -> bytes:
    """Return a gzip'd tar of (name, content or None for a symbolic link, link target or mode)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content, other in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, other
            else:
                member.size, member.mode = len(content), int(other, 8)
            tar.addfile(member, io.BytesIO((content or "").encode()))
    return buffer.getvalue()


def test_an_archive_is_fetched_once_verified_and_unpacked(cache: Cache, tmp_path: Path) -> None:
    raw = archive(("app/Dockerfile", "FROM x", "644"), ("app/run", "#!", "755"), ("app/link", None, "run"))
    served = tmp_path / "served"
    served.mkdir()
    (served / "app.tgz").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    with WebServer(served) as server:
        server.redirects["/latest"] = "/app.tgz"
        folder = cache.fetch(f"{server.url}/latest#sha256={digest}:app")
        assert (folder / "Dockerfile").read_text() == "FROM x"
        assert os.access(folder / "run", os.X_OK)
        assert (folder / "link").readlink() == Path("run")
        assert cache.fetch(f"{server.url}/latest#sha256={digest}:app") == folder
        assert server.asked == ["/latest", "/app.tgz"]
        wrong = cache.failure(f"{server.url}/app.tgz#sha256={SHA}")
        assert (wrong.code, digest in wrong.why) == ("digest-mismatch", True)
        assert cache.failure(f"{server.url}/none.tgz#sha256={SHA}").code == "context-not-found"
    assert cache.failure(f"{server.url}/app.tgz#sha256={SHA}").code == "connection-refused"


def test_an_archive_writes_nothing_outside_of_its_folder(cache: Cache, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    raw = archive(
        ("out", None, str(outside)), ("out/evil", "x", "644"), ("../../evil", "x", "644"), ("/abs", "x", "644")
    )
    served = tmp_path / "served"
    served.mkdir()
    (served / "a.tar").write_bytes(raw)
    before = {str(path) for path in tmp_path.rglob("*")}
    with WebServer(served) as server:
        folder = cache.fetch(f"{server.url}/a.tar#sha256={hashlib.sha256(raw).hexdigest()}")
    new = {str(path) for path in tmp_path.rglob("*")} - before
    assert all(path.startswith(str(cache.folder)) for path in new)
    assert (folder / "out").readlink() == outside
    assert list(outside.iterdir()) == []
    assert {path.name for path in folder.iterdir()} >= {"out", "abs", "evil"}


def test_what_is_no_archive_is_told(cache: Cache, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "a.tar").write_bytes(b"no archive at all")
    digest = hashlib.sha256(b"no archive at all").hexdigest()
    with WebServer(served) as server:
        assert cache.failure(f"{server.url}/a.tar#sha256={digest}").code == "context-not-archive"


def test_contexts_that_were_not_used_for_weeks_are_forgotten(repository: Repository, cache: Cache) -> None:
    first = cache.fetch(f"{repository.url}#{repository.commit({'a': '1'})}")
    second = cache.fetch(f"{repository.url}#{repository.commit({'a': '2'})}")
    os.utime(first, (0, 0))
    cache.fetch(repository.url)
    assert not first.exists()
    assert second.exists()


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_a_context_from_elsewhere_cannot_have_files_of_the_host_read(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "secret"
    outside.write_text("FROM scratch\n")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\n")
    (context / name).unlink(missing_ok=True)
    (context / name).symlink_to(outside)
    spec = BuildSpec(str(context), Platform.of("linux", "amd64"))
    read_build(spec)
    with pytest.raises(InputError) as caught:
        read_build(spec._replace(remembered_as="elsewhere"))
    assert (caught.value.code, "outside of the context" in caught.value.why) == ("dockerfile-missing", True)
