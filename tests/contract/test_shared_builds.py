# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared builds on every engine: what it built and pushed is what it pulls, and finds at rest."""

from __future__ import annotations

import json
import time
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.build_claim import BuildClaim
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.tests.support.images import delete, make_image
from ansible_collections.fleet.images.tests.support.lifecycle import kinds

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

NAME = "docker.io/team/app:1"


def test_what_was_built_comes_back_by_a_pull(engine_host: EngineHost, repository: Repository, tmp_path: Path) -> None:
    repository.push("base", make_image({"etc/base": b"base"}))
    (tmp_path / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY app /app\n")
    (tmp_path / "app").write_text("one")
    params = {"name": "team/app:1", "path": str(tmp_path), "share": str(repository)}
    announced = engine_host.announce("image_build", **params)
    built = engine_host.do("image_build", **params)
    assert kinds(announced) == kinds(built) == ["build", "push"]
    assert [row["image"] for row in announced["actions"]] == [row["image"] for row in built["actions"]]
    tags = repository.registry.tags(repository.path)
    (tag,) = (tag for tag in tags if tag.startswith("build-") and "claim" not in tag)
    assert built["actions"][1]["digest"] == repository.digest(tag)
    engine_host.rest("image_build", **params)
    first = engine_host.images()
    assert list(first) == [NAME, *(name for name in first if name != NAME)]

    engine_host.settle("image_rmi", name="team/app:1")
    pulled = engine_host.settle("image_build", **params)
    assert kinds(pulled) == ["pull"]
    assert pulled["images"][0]["cause"] == "built before in the fleet (not on the host)"
    assert engine_host.images()[NAME] == first[NAME]
    assert not [name for name in engine_host.images() if "build-" in name]

    (tmp_path / "app").write_text("two")
    changed = engine_host.do("image_build", **params)
    assert kinds(changed) == ["build", "push"]
    engine_host.rest("image_build", **params)
    (tmp_path / "app").write_text("one")
    back = engine_host.settle("image_build", **params)
    assert kinds(back) == ["pull"]
    assert engine_host.images()[NAME] == first[NAME]


def test_what_another_host_builds_is_waited_for(
    engine_host: EngineHost, repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY Dockerfile /\n")
    repository.push("base", make_image({"etc/base": b"base"}))
    params = {"name": "team/app:1", "path": str(tmp_path), "share": str(repository)}
    wanted = parse_reference(engine_host.do("image_build", **params)["actions"][1]["image"])
    first = engine_host.images()[NAME]
    engine_host.settle("image_rmi", name="team/app:1")
    with Registries(credentials=CredentialSource(environ={})) as registries:
        store = registries.store(wanted)
        raw, descriptor = store.fetch_manifest(wanted)
        delete(repository.registry, repository.path, str(descriptor.digest))
        claim = BuildClaim(store, wanted)
        assert claim.take()
        # Our own signs of life are put there, and looked at by their digests.
        log, look = repository.registry.log, f"HEAD /v2/{repository.path}/manifests/{wanted.tag}-claim"
        looked = log.read_text().count(look)
        waiting = engine_host.start("image_build", **params)
        until = time.monotonic() + 120
        while log.read_text().count(look) == looked:
            assert waiting.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        store.put_manifest(raw, descriptor, reference=wanted)
        output, _errors = waiting.communicate(timeout=120)
        claim.release()
    done = json.loads(output.splitlines()[-1])
    assert [action["action"] for action in done["actions"]] == ["build", "push"], done
    assert done["actions"][0]["builder"] == "another host"
    assert done["actions"][1]["digest"] == str(descriptor.digest) == repository.digest(str(wanted.tag))
    assert engine_host.images()[NAME] == first
    engine_host.rest("image_build", **params)
