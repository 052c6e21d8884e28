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
_DANGLING = 300


def _row(number: int) -> dict[str, t.Any]:
    """Return what the API of Docker lists for an image."""
    name = f"registry.example.com/team/app-{number}"
    is_named = number < IMAGES - _DANGLING
    return {
        "Id": f"sha256:{number:064x}",
        "ParentId": "",
        "RepoTags": [f"{name}:1"] if is_named else [],
        "RepoDigests": [f"{name}@sha256:{number + IMAGES:064x}"] if is_named else [],
        "Created": 1_700_000_000 + number,
        "Size": 50_000_000 + number,
        "SharedSize": -1,
        "VirtualSize": 50_000_000 + number,
        "Labels": {"org.opencontainers.image.source": name},
        "Containers": -1,
    }


def prune_plan(place: Place) -> Contest:
    """A thousand images, some dangling, some protected: check mode with its whole plan and diff."""
    folder = Path(place.enter(tempfile.TemporaryDirectory(prefix="bench-")))  # a socket needs a short path
    daemon = place.enter(simulated_dockerd(folder))
    daemon.answers["GET /images/json"] = (200, [_row(number) for number in range(IMAGES)])
    options = {
        "engine": "docker",
        "docker_host": daemon.address,
        "all": True,
        "filters": {"until": "1h"},
        "protect": ["registry.example.com/team/app-?:*", "registry.example.com/team/app-??:*"],
    }

    def ours() -> Measures:
        daemon.asked.clear()
        result = run_module("image_prune", options, check=True, diff=True).succeed()
        kinds = [action["action"] for action in result["actions"]]
        told = {kind: kinds.count(kind) for kind in kinds}
        wanted = {"untag": IMAGES - _DANGLING - _KEPT, "drop": _DANGLING}
        expect(f"the plan removes what nobody needs, not {told}", holds=told == wanted)
        expect("nothing was done", holds=all(asked.method == "GET" for asked in daemon.asked))
        return {"ours": float(result["elapsed"]), "limit": 1.0}

    return Contest([ours])


ROWS = (Row([Line(16, "prune planned over 1,000 images", "the limit set", 1.0, peer="limit")], prune_plan),)
