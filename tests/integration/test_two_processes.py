# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes converge one store at once: both succeed, and nothing that either of them stored is lost."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository

if t.TYPE_CHECKING:
    import subprocess


def result(process: subprocess.Popen[bytes]) -> dict[str, t.Any]:
    """Wait for a module and return its result; fails if it failed."""
    output, _ = process.communicate(timeout=120)
    told: dict[str, t.Any] = json.loads(output.splitlines()[-1])
    assert process.returncode == 0, told
    assert not told.get("failed"), told
    return told


def confirm(host: Host, expected: dict[str, str]) -> None:
    """Fail unless the store holds these names, whole, for us, skopeo and umoci."""
    assert host.names() == expected
    host.blobs()
    assert skopeo.umoci_names(host.store) == sorted(expected)
    for name, digest in expected.items():
        assert host.skopeo_digest(name) == digest
    rows = host.do("image_info")["images"]
    assert {name for row in rows for name in row["names"]} == set(expected)
    assert all(row["complete"] for row in rows)


def test_the_same_images_into_a_store_that_does_not_exist_yet(host: Host, repository: Repository) -> None:
    images = {tag: make_image({"v": tag.encode()}, layers=3, random_bytes=300_000) for tag in ("1", "2", "3")}
    for tag, image in images.items():
        repository.push(tag, image)
    wanted = [{"image": f"{repository}:{tag}"} for tag in images]
    running = [host.start("image_state", images=wanted) for _ in range(2)]
    for process in running:
        result(process)
    confirm(host, {f"{repository}:{tag}": image.digest for tag, image in images.items()})
    host.rest("image_state", images=wanted)


def test_different_images_that_share_layers(host: Host, repository: Repository) -> None:
    images = {f"v{n}": make_image(layers=4, random_bytes=100_000, labels={"n": str(n)}) for n in range(8)}
    for tag, image in images.items():
        repository.push(tag, image)
    items = [{"image": f"{repository}:v{n}", "tags": [f"local/n{n}:1"]} for n in range(8)]
    lists = [items[0::2], items[1::2]]
    running = [host.start("image_state", images=wanted) for wanted in lists]
    for process, wanted in zip(running, lists, strict=True):
        assert {row["name"] for row in result(process)["images"]} == {str(item["image"]) for item in wanted}
    names = {f"{repository}:{tag}": image.digest for tag, image in images.items()}
    names |= {f"docker.io/local/n{tag[1:]}:1": image.digest for tag, image in images.items()}
    confirm(host, names)


def test_one_adds_while_the_other_removes(host: Host, repository: Repository) -> None:
    images = {f"v{n}": make_image(layers=2, random_bytes=100_000, labels={"n": str(n)}) for n in range(6)}
    for tag, image in images.items():
        repository.push(tag, image)
    host.do("image_pull", name=[f"{repository}:v{n}" for n in range(3)])
    removing = host.start("image_rmi", name=[f"{repository}:v{n}" for n in range(3)])
    adding = host.start("image_pull", name=[f"{repository}:v{n}" for n in range(3, 6)])
    assert len(result(removing)["untagged"]) == 3
    assert result(adding)["changed"]
    confirm(host, {f"{repository}:v{n}": images[f"v{n}"].digest for n in range(3, 6)})


def test_a_push_and_a_pull_share_the_store(host: Host, repository: Repository) -> None:
    one, two = make_image({"v": b"1"}, random_bytes=500_000), make_image({"v": b"2"}, random_bytes=500_000, seed=1)
    repository.push("1", one)
    repository.push("2", two)
    host.do("image_pull", name=f"{repository}:1")
    target = repository._replace(path=f"{repository.path}/copy")
    running = [
        host.start("image_push", name=f"{repository}:1", repository=[f"{target}:1"]),
        host.start("image_pull", name=f"{repository}:2"),
    ]
    for process in running:
        assert result(process)["changed"]
    assert target.digest("1") == one.digest
    confirm(host, {f"{repository}:1": one.digest, f"{repository}:2": two.digest, f"{target}:1": one.digest})
