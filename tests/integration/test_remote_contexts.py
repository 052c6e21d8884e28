# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds from a commit or an archive: the same image as from a folder, exact in check mode, and at rest afterwards."""

from __future__ import annotations

import hashlib
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.git_server import Repository, WebServer
from ansible_collections.fleet.images.tests.support.lifecycle import Host, kinds

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"Dockerfile": "FROM scratch\nCOPY . /\n", "app/one": "1", "app/two": "2"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host", environment={"XDG_CACHE_HOME": str(tmp_path / "cache")})


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    (tmp_path / "origin").mkdir()
    repository = Repository(tmp_path / "origin")
    repository.commit(FILES)
    return repository


@pytest.fixture
def server(tmp_path: Path, origin: Repository) -> Iterator[WebServer]:
    with WebServer(origin.path.parent, is_smart=True) as running:
        yield running


def build(host: Host, **params: t.Any) -> str:
    """Announce a build, carry it out and run again; return its cause."""
    announced, done = host.announce("image_build", **params), host.do("image_build", **params)
    assert kinds(announced) == kinds(done) == ["build"]
    assert announced["images"][0]["cause"] == done["images"][0]["cause"]
    host.rest("image_build", **params)
    return str(done["images"][0]["cause"])


def test_a_branch_is_built_when_what_it_gives_changed(host: Host, origin: Repository, server: WebServer) -> None:
    params = {"name": "team/app:1", "path": f"{server.url}/app.git#main"}
    assert build(host, **params) == "not on the host"
    origin.commit({**FILES, "app/two": "3", "app/new": ""})
    assert build(host, **params) == "its inputs changed: context: 2 files changed: app/new (new), app/two"
    origin.commit({**FILES, "app/two": "3", "app/new": ""})  # another commit of the same files
    host.rest("image_build", **params)


def test_a_commit_is_asked_for_once(host: Host, origin: Repository, server: WebServer) -> None:
    commit = origin.commit(FILES)
    params = {"name": "team/app:1", "path": f"{server.url}/app.git#{commit}"}
    host.announce("image_build", **params)
    server.asked.clear()
    build(host, **params)
    assert server.asked == []


def test_a_folder_a_commit_and_an_archive_of_the_same_files_give_the_same_image(
    host: Host, origin: Repository, tmp_path: Path
) -> None:
    folder, served = tmp_path / "folder", tmp_path / "served"
    served.mkdir()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with tarfile.open(served / "app.tar.xz", "w:xz") as archive:
        archive.add(folder, "top")
    digest = hashlib.sha256((served / "app.tar.xz").read_bytes()).hexdigest()
    build(host, name="team/app:1", path=str(folder))
    before = host.names()
    host.rest("image_build", name="team/app:1", path=f"{origin.url}#main")
    with WebServer(served) as server:
        host.rest("image_build", name="team/app:1", path=f"{server.url}/app.tar.xz#sha256={digest}:top")
    assert host.names() == before


def test_what_is_wrong_with_a_context_is_told_before_anything_is_changed(
    host: Host, origin: Repository, server: WebServer
) -> None:
    wrong = {
        f"{server.url}/app.tar.gz": "context-digest-missing",
        "https://somebody:hunter2@127.0.0.1/app.git": "context-credentials",
        f"{origin.url}#nowhere": "context-not-found",
        f"{server.url}/nothing.git": "git-failed",
        f"{origin.url}#main:app": "dockerfile-missing",
    }
    for path, code in wrong.items():
        told = host.refuse("image_state", images=[{"image": "team/app:1", "build": {"path": path}}])
        assert told["code"] == code, told
        assert "hunter2" not in str(told)
