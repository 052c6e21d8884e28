# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds by a real buildah: what comes into the store, what is heeded, and what a failure tells and leaves."""

from __future__ import annotations

import io
import json
import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BaseImage
from ansible_collections.fleet.images.plugins.module_utils.build.buildah import (
    build_with_buildah,
    buildah_is_there,
    lacks,
)
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder, Secret
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError, PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.programs import require, run
from ansible_collections.fleet.images.tests.support.skopeo import skopeo
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64, Workshop

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.images import Blob

BASE = "example.org/build/base:1"
ORDER = BuildOrder("")


class Bench:
    """A workshop whose builds go to buildah, in a folder that is empty between them."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop = workshop
        self.folder = folder

    def add_base(self, *, is_docker: bool = False) -> BaseImage:
        """Let builds start from an image with a shell, whose layer is compressed."""
        require("busybox")
        shell = run(["sh", "-c", "cat $(command -v busybox)"])
        made = make_image({f"bin/{name}": shell for name in ("sh", "cat", "ls")}, docker=is_docker)
        self._store(made.config, *made.layers)
        manifest = parse_manifest(made.manifest.data)
        assert isinstance(manifest, Manifest)
        config = parse_config(made.config.data)
        image = BaseImage(Digest.of(b"its index"), manifest, config, self.workshop.store)
        self.workshop.bases[Base(BASE, AMD64)] = image
        return image

    def build(self, dockerfile: str, order: BuildOrder = ORDER, *, sink: LayoutStore | None = None) -> Manifest:
        build = self.workshop.load(
            dockerfile, is_native=False, args=order.args, target=order.target, source_date_epoch=1_700_000_000
        )
        return build_with_buildah(
            build,
            order=order._replace(dockerfile=build.dockerfile_name),
            bases={base: self.workshop.bases[base] for base in build.bases},
            sink=sink or self.workshop.store,
            work_folder=str(self.folder),
        )

    def leftovers(self) -> list[str]:
        """Return what lies or is mounted in the folder of the builds."""
        with open("/proc/self/mounts", encoding="utf-8") as stream:
            mounted = [row for row in stream if str(self.folder) in row]
        return [*(path.name for path in self.folder.iterdir()), *mounted]

    def _store(self, *blobs: Blob) -> None:
        for blob in blobs:
            data = blob.data
            descriptor = Descriptor.of(data, blob.media_type)
            self.workshop.store.write(descriptor, lambda offset, data=data: io.BytesIO(data[offset:]))  # type: ignore[misc]


@pytest.fixture
def bench(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    require("buildah")
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    # Not above the hard limits of whoever runs the tests, who may lack the right to raise them.
    limits = 'default_ulimits = ["nofile=20000:20000", "nproc=9000:9000"]'
    (tmp_path / "containers.conf").write_text(f"[containers]\n{limits}\n", encoding="utf-8")
    (tmp_path / "work").mkdir()
    return Bench(workshop, tmp_path / "work")


def test_an_image_from_nothing_keeps_all_settings_in_an_oci_image(bench: Bench) -> None:
    bench.workshop.write({"a": "one"})
    order = ORDER._replace(labels={"key": "sha256:1", "team": "a=b c"}, platform=Platform("linux", "arm64"))
    steps = 'COPY a /a\nHEALTHCHECK CMD ["/a"]\nONBUILD COPY b /b\nSHELL ["/a", "-c"]\nUSER 7\n'
    manifest = bench.build(f"FROM scratch\n{steps}", order)
    config = bench.workshop.config(manifest)
    settings = config["config"]
    assert (settings["Labels"], config["architecture"], settings["User"]) == (order.labels, "arm64", "7")
    assert config["config"]["Healthcheck"]["Test"] == ["CMD", "/a"]
    assert (config["config"]["OnBuild"], config["config"]["Shell"]) == (["COPY b /b"], ["/a", "-c"])
    assert [manifest.descriptor.media_type, manifest.config.media_type] == [
        media_types.OCI_MANIFEST,
        media_types.OCI_CONFIG,
    ]
    assert bench.workshop.files(manifest) == {"a": "one"}
    assert bench.leftovers() == []


@pytest.mark.parametrize("is_docker", [False, True])
def test_layers_of_a_base_keep_their_bytes_and_steps_run_on_it(bench: Bench, *, is_docker: bool) -> None:
    base = bench.add_base(is_docker=is_docker)
    bench.workshop.write({"src/a": "one", "src/hidden": "two", ".dockerignore": "src/hidden\n"})
    order = ORDER._replace(args={"A": "given"}, etc_hosts={"db.test": "192.0.2.7"}, target="first")
    steps = "ARG A=none\nRUN echo $A > /out; cat /etc/hosts > /hosts\nCOPY src /src\nFROM scratch\nCOPY src/a /never\n"
    manifest = bench.build(f"FROM {BASE} AS first\n{steps}", order)
    first = manifest.layers[0]
    assert (first.digest, first.media_type) == (base.manifest.layers[0].digest, media_types.OCI_LAYER_GZIP)
    own = manifest._replace(layers=manifest.layers[1:])
    files = bench.workshop.files(own)
    assert (len(own.layers), files["out"], files["src/a"]) == (2, "given\n", "one")
    assert not {"never", "src/hidden"} & files.keys()
    assert ["192.0.2.7", "db.test"] in [line.split() for line in files["hosts"].splitlines()]


def test_stages_that_the_target_does_not_need_are_left_out(bench: Bench) -> None:
    bench.workshop.write({"a": "one", "b": "two"})
    manifest = bench.build("FROM absent.example/unknown:1 AS other\nCOPY b /b\nRUN /b\nFROM scratch\nCOPY a /a\n")
    assert bench.workshop.files(manifest) == {"a": "one"}


def test_images_are_copied_from_and_mounted_without_a_registry(bench: Bench) -> None:
    bench.add_base()
    steps = f"COPY --from={BASE} /bin/ls /bin/copied\nRUN --mount=type=bind,from={BASE},target=/in ls /in/bin > /seen\n"
    manifest = bench.build(f"FROM {BASE}\n{steps}")
    with_files = manifest._replace(layers=manifest.layers[-1:])
    assert bench.workshop.files(with_files)["seen"].split() == ["cat", "ls", "sh"]
    assert [info.name for info in bench.workshop.members(manifest.layers[1])][-1].endswith("bin/copied")


def test_the_same_files_and_steps_give_the_same_manifest(bench: Bench) -> None:
    bench.add_base()
    bench.workshop.write({"a": "one"})
    dockerfile = f"FROM {BASE} AS one\nCOPY a /a\nRUN echo 1 > /1\nFROM {BASE}\nCOPY --from=one /1 /2\nENV A=b\n"
    assert bench.build(dockerfile) == bench.build(dockerfile)


def test_squashed_steps_are_one_layer_upon_those_of_the_base(bench: Bench) -> None:
    base = bench.add_base()
    dockerfile = f"FROM {BASE}\nRUN echo 1 > /1\nRUN echo 2 > /2\n"
    plain, squashed = bench.build(dockerfile), bench.build(dockerfile, ORDER._replace(squash=True))
    assert (len(plain.layers), len(squashed.layers)) == (3, 2)
    assert squashed.layers[0].digest == base.manifest.layers[0].digest


def test_a_secret_is_read_by_its_step_and_is_nowhere_else(bench: Bench) -> None:
    bench.add_base()
    bench.workshop.write({"plain": "1"})
    order = ORDER._replace(secrets=(Secret("one", b"hush-1"),))
    steps = "COPY . /all/\nRUN --mount=type=secret,id=one cat /run/secrets/one > /dev/null && ls -A /all > /seen\n"
    manifest = bench.build(f"FROM {BASE}\n{steps}", order)
    assert bench.workshop.files(manifest._replace(layers=manifest.layers[1:]))["seen"].split()[-1] == "plain"
    store = bench.workshop.store
    assert b"hush-1" not in b"".join(store.open(layer).read(1 << 30) for layer in manifest.layers[1:])
    assert b"hush-1" not in store.read(manifest.config)


def test_a_failing_step_is_named_with_its_last_lines_and_leaves_nothing(bench: Bench) -> None:
    bench.add_base()
    order = ORDER._replace(secrets=(Secret("one", b"hush-12345"),))
    steps = "RUN echo before\nRUN --mount=type=secret,id=one echo that went wrong; cat /run/secrets/one; exit 7\n"
    with pytest.raises(PeerError) as caught:
        bench.build(f"FROM {BASE}\n{steps}", order)
    error = caught.value
    assert (error.code, bench.leftovers()) == ("engine-build-failed", [])
    assert "RUN --mount=type=secret,id=one echo that went wrong" in error.what
    # buildah copies the two outputs of a step in either order, and what it says itself is in the second.
    assert "that went wrong" in error.why.splitlines()
    assert "***" in error.why
    assert "7" in error.why.splitlines()[-1]
    assert "hush" not in str(error)
    assert "before" not in error.why


def test_the_result_can_be_read_and_copied_by_other_tools(bench: Bench, tmp_path: Path) -> None:
    require("umoci")
    bench.add_base()
    store = LayoutStore(tmp_path / "store", create=True)
    manifest = bench.build(f"FROM {BASE}\nRUN echo 1 > /1\n", sink=store)
    store.put_manifest(manifest.raw, manifest.descriptor, reference=parse_reference("built:1"))
    entry = json.loads((tmp_path / "store/index.json").read_text(encoding="utf-8"))["manifests"][0]
    name = entry["annotations"]["org.opencontainers.image.ref.name"]
    skopeo("copy", "--preserve-digests", f"oci:{tmp_path / 'store'}:{name}", f"oci:{tmp_path / 'copy'}:x")
    run(["umoci", "unpack", "--rootless", "--image", f"{tmp_path / 'copy'}:x", str(tmp_path / "bundle")])
    assert (tmp_path / "bundle/rootfs/1").read_text(encoding="utf-8") == "1\n"


def test_it_is_known_whether_buildah_is_there(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert buildah_is_there()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not buildah_is_there()
    with pytest.raises(NotFoundError) as caught:
        bench.build("FROM scratch\nENV A=b\n")
    assert (caught.value.code, bench.leftovers()) == ("program-missing", [])


def test_what_needs_a_network_namespace_or_a_cache_is_lacking() -> None:
    order = ORDER._replace(network="host", squash=True, etc_hosts={"a": "192.0.2.1"}, secrets=(Secret("a", b""),))
    assert lacks(order) == ()
    order = order._replace(network="none", shm_size=1, cache_from=("a/b:1",))
    assert [reason.partition(":")[0] for reason in lacks(order)] == ["network", "shm_size", "cache_from"]


@pytest.mark.parametrize(("version", "is_lacking"), [("1.28.2", True), ("1.33.0", False), ("2.0-dev", False)])
def test_a_buildah_that_knows_no_heredocs_is_told_before_it_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, is_lacking: bool
) -> None:
    program = tmp_path / "buildah"
    program.write_text(f"#!/bin/sh\necho 'buildah version {version} (image-spec 1.0, runtime-spec 1.0)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    told = lacks(ORDER._replace(has_heredocs=True))
    assert [reason.partition(":")[0] for reason in told] == (["dockerfile"] if is_lacking else [])
    assert all(version in reason for reason in told)
