# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at any moment of a pull: the store stays readable, and the next run fetches only what is missing."""

from __future__ import annotations

import functools
import json
import random
import time
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import OCI_CONFIG, OCI_MANIFEST, Blob, MadeImage, make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository
from ansible_collections.fleet.images.tests.support.slow_link import SlowLink

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024
KILLS = 30
SEED = 20260


@pytest.fixture(scope="module")
def image() -> MadeImage:
    """Return an image of about 100 MiB of noise in five layers of different sizes."""
    noise = random.Random(SEED)
    kind = "application/vnd.oci.image.layer.v1.tar"
    layers = [Blob(kind, noise.randbytes(size * MIB)) for size in (40, 30, 20, 9, 1)]
    rootfs = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
    config = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": {}}
    config_blob = Blob(OCI_CONFIG, json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config_blob.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }
    return MadeImage(Blob(OCI_MANIFEST, json.dumps(manifest).encode()), config_blob, tuple(layers), "linux/amd64")


@pytest.fixture
def link(repository: Repository) -> Iterator[SlowLink]:
    """Yield a link to the registry: at 48 MiB a second the pull takes two seconds, and hosts keep up with it."""
    with SlowLink(repository.registry.url, rate=48 * MIB) as made:
        yield made


def test_a_pull_that_is_killed_again_and_again_loses_nothing(
    host: Host, repository: Repository, image: MadeImage, link: SlowLink, tmp_path: Path
) -> None:
    small = make_image({"v": b"small"})
    repository.push("small", small)
    repository.push("big", image)
    size = sum(len(blob.data) for blob in (image.manifest, image.config, *image.layers))
    small_name, big_name = f"{repository}:small", f"{link.host}/{repository.path}:big"
    host.do("image_pull", name=small_name)

    for further in _moments(size):
        pull = host.start("image_pull", name=big_name)
        is_under_way = link.wait_for(link.passed + further, unless=functools.partial(_has_ended, pull))
        pull.kill()
        pull.communicate()
        assert is_under_way, f"seed {SEED}: the pull ended before it was killed"
        assert host.names() == {small_name: small.digest}
        assert host.skopeo_digest(small_name) == small.digest
        assert skopeo.umoci_names(host.store) == [small_name]

    skopeo.copy(f"oci:{host.store}:{small_name}", f"dir:{tmp_path / 'small'}")
    host.do("image_pull", name=big_name)
    assert link.passed <= size + KILLS * MIB, f"seed {SEED}: {(link.passed - size) / KILLS / MIB:.2f} MiB per kill"
    assert host.names() == {small_name: small.digest, big_name: image.digest}
    assert host.blobs() >= {image.digest, image.config.digest, *(layer.digest for layer in image.layers)}
    assert list((host.store / ".fleet-images" / "partial").iterdir()) == []
    assert host.skopeo_digest(big_name) == image.digest
    host.rest("image_pull", name=big_name)


def test_a_pull_that_is_killed_while_it_names_its_image_leaves_all_or_nothing(
    host: Host, repository: Repository, link: SlowLink
) -> None:
    moments = random.Random(SEED)
    expected: dict[str, str] = {}
    for number in range(10):
        image = make_image({"n": b"%d" % number}, layers=2, random_bytes=20_000, seed=number + 1)
        repository.push(f"v{number}", image)
        name = f"{link.host}/{repository.path}:v{number}"
        size = sum(len(blob.data) for blob in (image.manifest, image.config, *image.layers))
        pull = host.start("image_pull", name=name)
        link.wait_for(link.passed + size, unless=functools.partial(_has_ended, pull))
        time.sleep(moments.random() * 0.08)  # the last byte is sent: now it is stored, named and reported
        pull.kill()
        pull.communicate()
        names = host.names()
        assert names in (expected, {**expected, name: image.digest})
        host.blobs()
        for stored, digest in names.items():
            assert host.skopeo_digest(stored) == digest
        expected[name] = image.digest
        host.do("image_pull", name=name, pull="missing")
        assert host.names() == expected
        assert skopeo.umoci_names(host.store) == sorted(expected)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _moments(size: int) -> list[int]:
    """Return after how many further bytes each run is killed: random steps that spread over nine tenths of ``size``."""
    chance = random.Random(SEED)
    steps = [chance.random() for _ in range(KILLS)]
    return [int(step / sum(steps) * size * 0.9) for step in steps]
