# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_save and image_load on every engine: announced, done so, at rest; other tools read and write the archives."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, LayoutHost, load_archive
from ansible_collections.fleet.images.tests.support.images import make_image, make_index, make_layer
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, kinds
from ansible_collections.fleet.images.tests.support.skopeo import copy, image_config, manifest_digest, raw_manifest

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository


def on(*engines: str) -> pytest.MarkDecorator:
    """Run a test on these engines only: what it shows is the same code on the others."""
    return pytest.mark.parametrize("engine_host", engines, indirect=True)


class Case(t.NamedTuple):
    """Two images of one base on a host, by three names, and the archive they go to."""

    names: tuple[str, str, str]
    configs: dict[str, str]
    archive: Path

    @property
    def params(self) -> dict[str, t.Any]:
        return {"name": list(self.names), "path": str(self.archive)}


@pytest.fixture
def case(engine_host: EngineHost, repository: Repository, tmp_path: Path) -> Case:
    one = make_image(platform=HOST, layers=2, random_bytes=20_000, seed=7)
    other = make_image(platform=HOST, layers=2, random_bytes=20_000, seed=7, labels={"version": "2"})
    assert one.layers == other.layers
    repository.push("one", one)
    repository.push("other", other)
    names = (f"{repository}:one", f"{repository}:other", "docker.io/team/app:1")
    engine_host.do("image_pull", name=list(names[:2]))
    engine_host.do("image_tag", name=names[0], repository=names[2])
    configs = engine_host.images()
    assert set(configs) == set(names)
    return Case(names, configs, tmp_path / "images.tar")


def state(path: Path) -> tuple[int, int]:
    """Return inode and time of a file: one that was written anew has others."""
    status = path.lstat()
    return status.st_ino, status.st_mtime_ns


def remove(host: EngineHost, case: Case) -> None:
    host.do("image_rmi", name=[name for name in case.names if name in host.images()])
    assert host.images() == {}


@on("layout", "docker", "podman", "containerd")
def test_images_go_into_an_archive_and_come_back(engine_host: EngineHost, case: Case) -> None:
    announced = engine_host.announce("image_save", **case.params)
    assert not case.archive.exists()
    before = engine_host.state()
    done = engine_host.do("image_save", **case.params)
    assert {**announced, "elapsed": 0} == {**done, "elapsed": 0}
    assert kinds(done) == ["save"]
    assert engine_host.state() == before
    assert case.archive.stat().st_size < 3 * sum((20_000, 20_000))  # what images share is there once
    for name in case.names:
        assert json.loads(raw_manifest(f"docker-archive:{case.archive}:{name}"))["config"]["digest"] == (
            case.configs[name]
        )
        assert json.loads(raw_manifest(f"oci-archive:{case.archive}:{name}"))["config"]["digest"] == case.configs[name]
    written = state(case.archive)
    engine_host.rest("image_save", **case.params)
    engine_host.rest("image_load", path=str(case.archive))
    assert state(case.archive) == written
    remove(engine_host, case)
    if not isinstance(engine_host, LayoutHost):  # the embedded store has no client of its own
        load_archive(engine_host, case.archive)
        assert engine_host.images() == case.configs
        engine_host.rest("image_load", path=str(case.archive))
        remove(engine_host, case)
    done = engine_host.settle("image_load", path=str(case.archive))
    assert sorted(kinds(done)) == ["load", "load", "tag"]
    assert set(done["image_names"]) == set(case.names)
    assert engine_host.images() == case.configs
    engine_host.rest("image_save", **case.params)


@on("layout", "containerd")
def test_the_digest_of_the_registry_lasts_where_the_engine_keeps_what_it_sent(
    engine_host: EngineHost, case: Case, repository: Repository
) -> None:
    name = case.names[0]
    engine_host.do("image_save", name=name, path=str(case.archive))
    digest = repository.digest("one")
    assert manifest_digest(f"oci-archive:{case.archive}:{name}") == digest
    remove(engine_host, case)
    engine_host.do("image_load", path=str(case.archive))
    engine_host.rest("image_pull", name=f"{name}@{digest}", pull="never")
    copy(f"docker://{name}", f"oci-archive:{case.archive}.theirs:{name}")
    engine_host.rest("image_save", name=name, path=f"{case.archive}.theirs")  # it holds this very image already


@on("layout")
def test_another_list_or_another_image_writes_the_archive_again(
    engine_host: EngineHost, case: Case, repository: Repository
) -> None:
    engine_host.do("image_save", **case.params)
    fewer = {**case.params, "name": list(case.names[:2])}
    done = engine_host.settle("image_save", **fewer)
    assert done["actions"][0]["cause"] == "it holds others, too"
    repository.push("one", make_image(platform=HOST, seed=8))
    engine_host.do("image_pull", name=case.names[0], pull="always")
    done = engine_host.settle("image_save", **fewer)
    assert done["actions"][0]["cause"] == "the archive has another image of this name"
    os.truncate(case.archive, case.archive.stat().st_size // 2)
    engine_host.refuse("image_save", **fewer)
    done = engine_host.do("image_save", **fewer, force=True)
    assert done["actions"][0]["cause"] == "there is no archive of images yet"
    assert not [path for path in case.archive.parent.iterdir() if path.name.startswith(".")]


@on("layout", "podman")
def test_one_image_is_chosen_named_anew_and_taken_from_a_compressed_archive(
    engine_host: EngineHost, case: Case
) -> None:
    engine_host.do("image_save", **case.params)
    packed = case.archive.with_suffix(".tar.gz")
    packed.write_bytes(gzip.compress(case.archive.read_bytes(), 1))
    remove(engine_host, case)
    params = {"path": str(packed), "name": case.names[1], "repository": ["team/new", "team/new:2"]}
    done = engine_host.settle("image_load", **params)
    assert done["image_names"] == ["docker.io/team/new:latest", "docker.io/team/new:2"]
    assert engine_host.images() == dict.fromkeys(done["image_names"], case.configs[case.names[1]])
    error = engine_host.refuse("image_load", path=str(packed), name="team/unknown")
    assert (error["code"], error["subject"]) == ("archive-lacks-image", "name")
    error = engine_host.refuse("image_load", path=str(packed), repository=["team/new"])
    assert error["code"] == "archive-holds-several"


@pytest.mark.parametrize(
    ("engine_host", "form"),
    [("layout", "docker"), ("docker", "docker"), ("podman", "oci"), ("containerd", "oci")],
    indirect=["engine_host"],
)
def test_archives_of_other_tools_are_loaded_and_damaged_ones_are_not(
    engine_host: EngineHost, repository: Repository, tmp_path: Path, form: str
) -> None:
    made = make_image(platform=HOST, random_bytes=20_000, seed=9)
    repository.push("one", made)
    archive, damaged = tmp_path / "images.tar", tmp_path / "damaged.tar"
    copy(f"docker://{repository}:one", f"{form}-archive:{archive}:docker.io/team/app:1")
    content = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        layer = max(tar, key=lambda member: member.size)
    content[layer.offset_data + layer.size // 2] ^= 1
    damaged.write_bytes(content)
    failed = engine_host.run("image_load", path=str(damaged)).result
    assert failed["failed"]
    assert failed["error"]["code"] == "digest-mismatch"
    assert engine_host.images() == {}
    done = engine_host.settle("image_load", path=str(archive))
    assert kinds(done) == ["load"]
    assert engine_host.images() == {"docker.io/team/app:1": made.config.digest}


@on("layout", "docker", "podman")
def test_a_file_system_becomes_the_same_image_everywhere(engine_host: EngineHost, tmp_path: Path) -> None:
    plain = gzip.decompress(make_layer({"bin/tool": b"#!/bin/sh\n", "etc/name": b"one"})[0].data)
    path = tmp_path / "root.tar"
    path.write_bytes(plain)
    params = {
        "src": str(path),
        "name": "team/root",
        "tag": "1",
        "change": ["ENV LANG=C.UTF-8 PATH=/bin", 'CMD ["/bin/tool"]', "WORKDIR /srv", "LABEL version=1", "EXPOSE 80"],
        "platform": HOST,
    }
    done = engine_host.settle("image_import", **params)
    assert kinds(done) == ["import"]
    config = engine_host.images()["docker.io/team/root:1"]
    assert done["images"][0]["id"] in (config, done["images"][0]["digest"])
    archive = tmp_path / "images.tar"
    engine_host.do("image_save", name="team/root:1", path=str(archive))
    told = image_config(f"oci-archive:{archive}")
    assert told["config"] == {
        "Cmd": ["/bin/tool"],
        "Env": ["LANG=C.UTF-8", "PATH=/bin"],
        "ExposedPorts": {"80/tcp": {}},
        "Labels": {"version": "1"},
        "WorkingDir": "/srv",
    }
    assert told["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(plain).hexdigest()}"]
    if isinstance(engine_host, DockerHost):
        theirs = engine_host.daemon.cli("import", "-", input_bytes=plain).decode().strip()
        layers = [
            engine_host.daemon.cli("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
            for image in (theirs, config)
        ]
        assert layers[0] == layers[1]
    path.write_bytes(gzip.compress(plain, 1))
    engine_host.rest("image_import", **params)  # the same file system
    error = engine_host.refuse("image_import", **{**params, "change": ["RUN true", "EXPOSE x", "CMD [1]"]})
    assert [problem["path"] for problem in error["problems"]] == ["change[0]", "change[1]", "change[2]"]
    path.write_bytes(plain[:700])
    error = engine_host.refuse("image_import", **params)
    assert error["code"] == "import-not-archive"
    path.unlink()
    assert engine_host.refuse("image_import", **params)["code"] == "archive-not-found"


@on("layout", "containerd")
def test_an_image_for_several_platforms_goes_and_comes_whole_or_for_one_of_them(
    engine_host: EngineHost, repository: Repository, tmp_path: Path
) -> None:
    made = make_index([make_image({"for": name.encode()}, platform=name) for name in (FOREIGN, HOST)])
    repository.push("all", made)
    theirs, ours, single = (tmp_path / f"{name}.tar" for name in ("theirs", "ours", "single"))
    copy(f"docker://{repository}:all", f"oci-archive:{theirs}:docker.io/team/app:1", all_platforms=True)
    done = engine_host.settle("image_load", path=str(theirs))
    assert (kinds(done), done["images"][0]["digest"]) == (["load"], made.digest)
    engine_host.do("image_save", name="team/app:1", path=str(ours))
    assert manifest_digest(f"oci-archive:{ours}") == made.digest
    copy(f"oci-archive:{ours}", f"oci:{tmp_path / 'copied'}:1", all_platforms=True)
    for engine_form in (theirs, ours):
        engine_host.rest("image_save", name="team/app:1", path=str(engine_form))
    engine_host.settle("image_save", name="team/app:1", path=str(single), platform=FOREIGN)
    own = json.loads(raw_manifest(f"docker-archive:{single}"))
    assert own["config"]["digest"] == made.images[0].config.digest
    engine_host.do("image_rmi", name="team/app:1")
    engine_host.settle("image_load", path=str(ours), platform=FOREIGN, repository="team/foreign:1")
    assert engine_host.images() == {"docker.io/team/foreign:1": made.images[0].config.digest}
