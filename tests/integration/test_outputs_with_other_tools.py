# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs of the embedded store, taken by other engines and tools; and of builds for several platforms."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, LayoutHost, PodmanHost
from ansible_collections.fleet.images.tests.support.file_trees import archive_tree, base_with_removals
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.skopeo import copy, manifest_digest, raw_manifest

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository
    from ansible_collections.fleet.images.tests.support.podman import Podman

NAME = "docker.io/team/app:1"

#: What Docker and podman put into the file system of every container.
MADE = ("dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", ".dockerenv", "run")


def outputs(folder: Path, *forms: str) -> list[dict[str, str]]:
    return [{"type": form, "dest": str(folder / f"app.{form}")} for form in forms]


@pytest.fixture
def folder(tmp_path: Path, repository: Repository) -> Path:
    """Return a folder with a build on a base with whiteouts, in all forms of one file."""
    repository.push("base", base_with_removals())
    context = tmp_path / "context"
    (context / "app").mkdir(parents=True)
    (context / "app" / "tool").write_bytes(b"#!/bin/sh\n")
    (context / "app" / "tool").chmod(0o755)
    (context / "app" / "link").symlink_to("tool")
    dockerfile = f'FROM {repository}:base\nCOPY --chown=12:34 app /srv/app\nCMD ["/srv/app/tool"]\n'
    (context / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    return tmp_path


@pytest.fixture
def config(folder: Path) -> str:
    """Return the config digest of the image, which was written to the folder."""
    host = LayoutHost(folder)
    params = {"name": "team/app:1", "path": str(folder / "context"), "outputs": outputs(folder, "oci", "docker", "tar")}
    host.do("image_build", **params)
    return host.images()[NAME]


def exported(archive: bytes, folder: Path) -> dict[str, object]:
    """Return the files of a container's file system less those that engines make in it, and less times."""
    path = folder / "export.tar"
    path.write_bytes(archive)
    return files_of(path)


def files_of(path: Path) -> dict[str, object]:
    tree = archive_tree(path)
    return {
        name: file[:4]
        for name, file in tree.items()
        if not any(name == made or name.startswith(f"{made}/") for made in MADE)
    }


def test_docker_loads_the_archive_and_has_the_same_files(folder: Path, config: str, dockerd: Dockerd) -> None:
    host = DockerHost(dockerd)
    dockerd.cli("load", input_bytes=(folder / "app.docker").read_bytes())
    assert host.images() == {NAME: config}
    dockerd.cli("create", "--name", "one", "--network", "none", NAME)
    assert exported(dockerd.cli("export", "one"), folder) == files_of(folder / "app.tar")
    dockerd.cli("rm", "one")


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_podman_loads_the_archives_and_has_the_same_files(folder: Path, config: str, podman: Podman, form: str) -> None:
    host = PodmanHost(podman)
    podman.cli("load", input_bytes=(folder / f"app.{form}").read_bytes())
    assert host.images() == {NAME: config}
    podman.cli("create", "--name", "one", "--network", "none", NAME)
    assert exported(podman.cli("export", "one"), folder) == files_of(folder / "app.tar")
    podman.cli("rm", "one")


def test_hosts_with_other_paths_write_the_same_bytes(folder: Path, config: str, tmp_path: Path) -> None:
    other = tmp_path / "another"
    other.mkdir()
    host = LayoutHost(other)
    forms = ("oci", "docker", "tar")
    params = {"name": "team/app:1", "path": str(folder / "context"), "outputs": outputs(other, *forms)}
    host.do("image_build", **params)
    assert host.images()[NAME] == config
    for form in forms:
        assert (other / f"app.{form}").read_bytes() == (folder / f"app.{form}").read_bytes()


def test_two_outputs_to_one_place_through_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    places = [str(tmp_path / folder / "app.tar") for folder in ("real", "link")]
    rows = [{"type": form, "dest": place} for form, place in zip(("oci", "docker"), places)]
    host = LayoutHost(tmp_path)
    error = host.refuse("image_build", name="team/app:1", dockerfile_inline="FROM scratch\n", outputs=rows)
    assert (error["code"], error["subject"]) == ("output-in-the-way", places[1])
    assert places[0] in error["why"]


def test_a_build_for_several_platforms_is_written_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n", encoding="utf-8")
    host = LayoutHost(tmp_path)
    params = {
        "name": "team/app:1",
        "path": str(tmp_path / "context"),
        "platform": f"{HOST},{FOREIGN}",
        "outputs": outputs(tmp_path, "oci", "docker"),
    }
    done = host.do("image_build", **params)
    host.rest("image_build", **params)
    index = json.loads(raw_manifest(f"oci-archive:{tmp_path / 'app.oci'}"))
    told = ["{os}/{architecture}".format(**row["platform"]) for row in index["manifests"]]
    assert told == [HOST, FOREIGN]
    assert manifest_digest(f"oci-archive:{tmp_path / 'app.oci'}") == done["images"][0]["digest"]
    copy(f"oci-archive:{tmp_path / 'app.oci'}", f"oci:{tmp_path / 'copied'}:1", all_platforms=True)
    own = json.loads(raw_manifest(f"docker-archive:{tmp_path / 'app.docker'}"))
    assert own["config"]["digest"] == host.images()[NAME]


def test_a_playbook_writes_outputs_and_is_at_rest_then(folder: Path) -> None:
    build = {"path": str(folder / "context"), "outputs": outputs(folder, "docker", "local")}
    images = [{"image": "team/app:1", "build": build}]
    task = {
        "name": "images",
        "fleet.images.image_state": {"engine": "layout", "store": str(folder / "store"), "images": images},
    }
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    announced, done, again = (
        run_playbook(plays, folder / "home", arguments=arguments).of("images").result
        for arguments in (("--check", "--diff"), ("--diff",), ("--diff",))
    )
    assert announced["diff"] == done["diff"]
    assert [row["action"] for row in done["actions"]] == ["build", "write", "write"]
    assert again["changed"] is False
    assert (folder / "app.local" / "srv" / "app" / "tool").read_bytes() == b"#!/bin/sh\n"
