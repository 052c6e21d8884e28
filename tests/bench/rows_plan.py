# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Row 16: what a prune of a host with very many images would do, planned."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.tests.bench.contest import Contest, Line, Row, expect
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.simulated_dockerd import simulated_dockerd

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.bench.contest import Measures
    from ansible_collections.fleet.images.tests.bench.place import Place

IMAGES = 1000
_KEPT = 100  # those with one or two digits


def _row(number: int) -> dict[str, t.Any]:
    """Return what the API of Docker lists for an image."""
    digest = f"sha256:{number:064x}"
    name = f"registry.example.com/team/app-{number}"
    return {
        "Id": digest,
        "ParentId": "",
        "RepoTags": [f"{name}:1"],
        "RepoDigests": [f"{name}@sha256:{number + IMAGES:064x}"],
        "Created": 1_700_000_000 + number,
        "Size": 50_000_000 + number,
        "SharedSize": -1,
        "VirtualSize": 50_000_000 + number,
        "Labels": {"org.opencontainers.image.source": name},
        "Containers": -1,
    }


def prune_plan(place: Place) -> Contest:
    """A thousand images, of which a hundred are protected: check mode with its whole plan and diff."""
    folder = Path(place.enter(tempfile.TemporaryDirectory(prefix="bench-")))  # a socket needs a short path
    daemon = place.enter(simulated_dockerd(folder))
    daemon.answers["GET /images/json"] = (200, [_row(number) for number in range(IMAGES)])
    protected = ["registry.example.com/team/app-?:*", "registry.example.com/team/app-??:*", "*:keep"]
    options = {"engine": "docker", "docker_host": daemon.address, "images": [], "unlisted": "remove"}

    def ours() -> Measures:
        daemon.asked.clear()
        result = run_module("image_state", {**options, "protect": protected}, check=True, diff=True).succeed()
        removed = [action for action in result["actions"] if action["action"] == "untag"]
        expect(f"the plan removes the others, not {len(removed)}", holds=len(removed) == IMAGES - _KEPT)
        expect("nothing was done", holds=all(asked.method == "GET" for asked in daemon.asked))
        return {"ours": float(result["elapsed"]), "limit": 1.0}

    return Contest([ours])


ROWS = (Row([Line(16, "removal planned over 1,000 images", "the limit set", 1.0, peer="limit")], prune_plan),)
