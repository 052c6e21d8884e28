# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds for several platforms: an index with an image for each, whole on the host, at the registry, and in time."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.fleet.images.tests.contract.build_changes import base_image
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.engine_hosts import ContainerdHost, LayoutHost
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, UNMADE, kinds
from ansible_collections.fleet.images.tests.support.programs import require

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

NAME = "team/app:1"
BOTH = f"{HOST},{FOREIGN}"
DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
COPY all.txt /
COPY ${TARGETARCH}.txt /own.txt
LABEL for=$TARGETARCH
"""
REFUSING = ["docker", "podman", "rootless-podman"]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Return a context in which each platform has a file of its own."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    for name in ("all", *(platform.partition("/")[2] for platform in (HOST, FOREIGN, UNMADE))):
        (folder / f"{name}.txt").write_text(name)
    return folder


@pytest.fixture(params=["layout", "containerd"])
def store_host(request: pytest.FixtureRequest, tmp_path: Path) -> EngineHost:
    """Return a host with each engine whose images lie in a content store."""
    if request.param == "containerd":
        return ContainerdHost(request.getfixturevalue("containerd"), tmp_path)
    return LayoutHost(tmp_path)


def build(host: EngineHost, **params: t.Any) -> dict[str, t.Any]:
    """Announce, build, and run again; fails unless what was announced was done. Digests are known afterwards only."""
    announced = host.announce("image_build", **params)
    done = host.do("image_build", **params)
    unknown = {"digest": "", "id": ""}
    for part in ("images", "actions"):
        first, second = ([{**row, **unknown} for row in result[part]] for result in (announced, done))
        assert first == second
    assert announced["diff"] == done["diff"]
    host.rest("image_build", **params)
    return done


def platforms(address: str) -> list[str]:
    """Return the platforms of the index at an address, as skopeo tells it."""
    document = json.loads(skopeo.raw_manifest(address))
    return [f"{row['platform']['os']}/{row['platform']['architecture']}" for row in document["manifests"]]


def test_an_index_is_built_pushed_and_read_by_others(
    store_host: EngineHost, context: Path, repository: Repository, tmp_path: Path
) -> None:
    name = f"{repository}:1"
    done = build(store_host, name=name, path=str(context), platform=BOTH, push=True)
    assert kinds(done) == ["build", "push"]
    digest = done["images"][0]["digest"]
    assert repository.digest("1") == digest == done["actions"][1]["digest"]
    assert skopeo.manifest_digest(f"docker://{name}") == digest
    assert platforms(f"docker://{name}") == [HOST, FOREIGN]
    skopeo.copy(f"docker://{name}", f"oci:{tmp_path / 'copy'}:1", all_platforms=True)
    for platform in (HOST, FOREIGN):
        own = platform.partition("/")[2]
        config = json.loads(
            skopeo.skopeo("--override-arch", own, "inspect", "--tls-verify=false", "--config", f"docker://{name}")
        )
        assert (config["architecture"], config["config"]["Labels"]["for"]) == (own, own)
        words = ("copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path / own}:1")
        skopeo.skopeo("--override-arch", own, *words)
        files = skopeo.umoci_unpack(tmp_path / own, "1", tmp_path / f"{own}-bundle")
        assert (files / "own.txt").read_text() == own


def test_the_name_on_the_host_is_for_the_host(store_host: EngineHost, context: Path) -> None:
    done = build(store_host, name=NAME, path=str(context), platform=f"{FOREIGN},{HOST}")
    [image] = store_host.do("image_info", name=NAME, detail=True)["images"]
    assert image["platform"] == HOST
    assert image["digest"] == done["images"][0]["digest"]
    assert image["id"] == done["images"][0]["id"] or store_host.engine == "containerd"


def test_without_the_hosts_platform_the_name_is_for_the_first(store_host: EngineHost, context: Path) -> None:
    done = build(store_host, name=NAME, path=str(context), platform=f"{FOREIGN},{UNMADE}")
    [image] = store_host.do("image_info", name=NAME, detail=True)["images"]
    assert image["platform"] == FOREIGN
    assert image["digest"] == done["images"][0]["digest"]


def test_a_platform_more_or_less_is_a_new_build_and_named(store_host: EngineHost, context: Path) -> None:
    options: dict[str, t.Any] = {"name": NAME, "path": str(context)}
    build(store_host, platform=BOTH, **options)
    more = build(store_host, platform=f"{BOTH},{UNMADE}", **options)
    assert f"platform {UNMADE} (new)" in more["actions"][0]["cause"]
    less = build(store_host, platform=f"{HOST},{UNMADE}", **options)
    assert f"platform {FOREIGN} (gone)" in less["actions"][0]["cause"]
    (context / "all.txt").write_text("other")
    assert "context" in build(store_host, platform=f"{HOST},{UNMADE}", **options)["actions"][0]["cause"]


def test_a_file_of_another_platform_counts(store_host: EngineHost, context: Path) -> None:
    options: dict[str, t.Any] = {"name": NAME, "path": str(context), "platform": BOTH}
    build(store_host, **options)
    (context / f"{FOREIGN.partition('/')[2]}.txt").write_text("new")
    assert f"context {FOREIGN}" in build(store_host, **options)["actions"][0]["cause"]
    (context / f"{UNMADE.partition('/')[2]}.txt").write_text("new")
    store_host.rest("image_build", **options)


def test_the_same_inputs_give_the_same_index_on_both_stores(
    containerd: t.Any, context: Path, tmp_path: Path, repository: Repository
) -> None:
    base = repository.push("base", make_index([make_image({"a": b"1"}, platform=HOST), make_image(platform=FOREIGN)]))
    (context / "Dockerfile").write_text(DOCKERFILE.replace("scratch", f"{repository}:base@{base}"))
    hosts = (LayoutHost(tmp_path / "one"), LayoutHost(tmp_path / "two"), ContainerdHost(containerd, tmp_path))
    digests = {build(host, name=NAME, path=str(context), platform=BOTH)["images"][0]["digest"] for host in hosts}
    assert len(digests) == 1


def test_what_is_pushed_later_is_the_whole_index(
    store_host: EngineHost, context: Path, repository: Repository
) -> None:
    done = build(store_host, name=NAME, path=str(context), platform=BOTH)
    pushed = store_host.settle("image_push", name=NAME, repository=[f"{repository}:later"])
    assert repository.digest("later") == done["images"][0]["digest"]
    assert pushed["actions"][-1]["digest"] == done["images"][0]["digest"]
    assert platforms(f"docker://{repository}:later") == [HOST, FOREIGN]


def test_one_image_of_the_index_at_the_registry_is_not_enough(
    store_host: EngineHost, context: Path, repository: Repository
) -> None:
    name = f"{repository}:1"
    build(store_host, name=name, path=str(context), platform=BOTH, push=True)
    child = json.loads(skopeo.raw_manifest(f"docker://{name}"))["manifests"][0]["digest"]
    skopeo.copy(f"docker://{repository}@{child}", f"docker://{name}")
    assert repository.digest("1") == child
    store_host.settle("image_push", name=name)
    assert platforms(f"docker://{name}") == [HOST, FOREIGN]


def test_collecting_keeps_all_images_of_the_index(tmp_path: Path, context: Path, repository: Repository) -> None:
    host = LayoutHost(tmp_path)
    params: dict[str, t.Any] = {"name": NAME, "path": str(context), "platform": BOTH}
    build(host, **params)
    build(host, name="team/gone:1", path=str(context), platform=f"{HOST},{UNMADE}")
    for blob in (host.host.store / "blobs" / "sha256").iterdir():
        os.utime(blob, (1, 1))
    host.settle("image_rmi", name="team/gone:1")
    host.rest("image_build", **params)
    host.settle("image_push", name=NAME, repository=[f"{repository}:kept"])
    assert platforms(f"docker://{repository}:kept") == [HOST, FOREIGN]


def test_a_lost_image_of_another_platform_is_built_again(tmp_path: Path, context: Path, repository: Repository) -> None:
    host = LayoutHost(tmp_path)
    params: dict[str, t.Any] = {"name": f"{repository}:1", "path": str(context), "platform": BOTH}
    first = build(host, **params, push=True)
    skopeo.umoci_collect(host.host.store)  # knows the image that has the name alone
    again = build(host, **params, push=True)
    assert again["actions"][0]["cause"] == "images of its other platforms are missing or damaged"
    assert again["images"][0]["digest"] == first["images"][0]["digest"] == repository.digest("1")


def test_a_build_for_several_platforms_starts_from_another_one(store_host: EngineHost, tmp_path: Path) -> None:
    images = []
    for name, text in (("base", "FROM scratch\nCOPY base.txt /\n"), ("top", "FROM team/base:1\nCOPY top.txt /\n")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Dockerfile").write_text(text)
        (folder / f"{name}.txt").write_text(name)
        images.append({"image": f"team/{name}:1", "platform": BOTH, "build": {"path": str(folder)}})
    announced = store_host.announce("image_state", images=images)
    done = store_host.do("image_state", images=images)
    assert kinds(announced) == kinds(done) == ["build", "build"]
    store_host.rest("image_state", images=images)
    (tmp_path / "top" / "top.txt").write_text("other")
    again = store_host.do("image_state", images=images)
    assert kinds(again) == ["build"]
    store_host.rest("image_state", images=images)


def test_a_base_for_every_platform_is_one_index(store_host: EngineHost, context: Path, repository: Repository) -> None:
    ours, other = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    first = repository.push("base", make_index([ours, other]))
    (context / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY all.txt /\n")
    store_host.settle("image_pull", name=f"{repository}:base")
    repository.push("base", make_index([other]))
    done = build(store_host, name=f"{repository}:1", path=str(context), platform=BOTH, push=True)
    assert kinds(done) == ["build", "push"]
    inputs = json.loads(skopeo.image_config(f"docker://{repository}:1")["config"]["Labels"]["images.fleet.build.inputs"])
    assert [digest for name, digest in inputs.items() if name.startswith("base:")] == [first]


def test_several_platforms_are_for_builds_only(store_host: EngineHost) -> None:
    error = store_host.refuse("image_pull", name="team/app:1", platform=BOTH)
    assert "several are for builds only" in error["msg"]


def test_a_base_of_another_platform_alone_is_refused_where_one_is_ordered(
    engine_host: EngineHost, context: Path, repository: Repository
) -> None:
    repository.push("base", make_image({"a": b"1"}, platform=HOST))
    (context / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY all.txt /\n")
    orders = [FOREIGN] if engine_host.engine in REFUSING else [FOREIGN, BOTH]
    for platform in orders:
        error = engine_host.refuse("image_build", name=NAME, path=str(context), platform=platform)
        assert error["code"] == "platform-missing"
        assert f"it exists for: {HOST}" in error["msg"]


def test_without_an_order_a_base_of_one_platform_is_taken_as_it_is(
    store_host: EngineHost, context: Path, repository: Repository
) -> None:
    repository.push("base", make_image({"a": b"1"}, platform=FOREIGN))
    (context / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY all.txt /\n")
    assert kinds(build(store_host, name=NAME, path=str(context))) == ["build"]


@pytest.mark.parametrize("engine_host", REFUSING, indirect=True)
def test_an_engine_without_indexes_says_so(engine_host: EngineHost, context: Path) -> None:
    error = engine_host.refuse("image_build", name=NAME, path=str(context), platform=BOTH)
    assert error["code"] == "build-option-unsupported"
    assert "index" in error["why"]


def test_a_step_that_this_machine_cannot_run_is_told_before(store_host: EngineHost, tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY a /\nRUN /a\n"
    (tmp_path / "a").write_text("a")
    params = {"name": NAME, "path": str(tmp_path), "dockerfile_inline": text, "platform": f"{HOST},{UNMADE}"}
    error = store_host.refuse("image_build", **params)
    assert error["code"] == "platform-cannot-run"
    assert UNMADE in error["what"]


def test_buildah_runs_the_steps_of_this_machine_for_all(
    store_host: EngineHost, context: Path, repository: Repository
) -> None:
    require("buildah")
    repository.push("base", base_image("a"))
    text = f"FROM --platform=$BUILDPLATFORM {repository}:base AS made\nARG TARGETARCH\n"
    text += 'RUN ["/bin/busybox", "sh", "-c", "echo $TARGETARCH > /own.txt"]\n'
    (context / "Dockerfile").write_text(text + "FROM scratch\nCOPY --from=made /own.txt /\nCOPY all.txt /\n")
    done = build(store_host, name=f"{repository}:1", path=str(context), platform=BOTH, push=True)
    assert done["actions"][0]["builder"] == "buildah"
    assert platforms(f"docker://{repository}:1") == [HOST, FOREIGN]
    for row in json.loads(skopeo.raw_manifest(f"docker://{repository}:1"))["manifests"]:
        config = skopeo.image_config(f"docker://{repository}@{row['digest']}")
        assert config["architecture"] == row["platform"]["architecture"]


def test_another_name_of_the_index_keeps_all_of_it(
    store_host: EngineHost, context: Path, repository: Repository
) -> None:
    build(store_host, name=NAME, path=str(context), platform=BOTH)
    store_host.settle("image_tag", name=NAME, repository=["team/other:1"])
    store_host.settle("image_rmi", name=NAME)
    store_host.settle("image_push", name="team/other:1", repository=[f"{repository}:other"])
    assert platforms(f"docker://{repository}:other") == [HOST, FOREIGN]


def test_one_platform_is_built_upon_an_index_of_this_host(store_host: EngineHost, context: Path) -> None:
    build(store_host, name=NAME, path=str(context), platform=BOTH)
    for platform in (HOST, FOREIGN):
        name = f"team/{platform.partition('/')[2]}:1"
        build(store_host, name=name, dockerfile_inline=f"FROM {NAME}\nUSER me\n", platform=platform)
        [image] = store_host.do("image_info", name=name, detail=True)["images"]
        assert image["platform"] == platform
