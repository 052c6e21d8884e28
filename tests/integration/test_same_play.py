# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same play on four hosts with four engines: one plan, the same digests, the same rows."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import (
    ContainerdHost,
    DockerHost,
    EngineHost,
    LayoutHost,
    PodmanHost,
)
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Repository
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.containerd import Containerd
    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd
    from ansible_collections.fleet.images.tests.support.podman import Podman


@pytest.fixture
def fleet(tmp_path: Path, dockerd: Dockerd, podman: Podman, containerd: Containerd) -> list[EngineHost]:
    """Return four empty hosts, one for each engine."""
    return [
        LayoutHost(tmp_path / "layout"),
        DockerHost(dockerd),
        PodmanHost(podman),
        ContainerdHost(containerd, tmp_path / "containerd"),
    ]


def play(fleet: list[EngineHost], home: Path, options: dict[str, t.Any], *arguments: str) -> PlaybookRun:
    """Run one task on all hosts; what differs between them are variables of the inventory."""
    names = sorted({name for host in fleet for name in host.options({})})
    defaults = {name: f"{{{{ {name}_of_host | default(omit) }}}}" for name in names}
    task = {"name": "images", "fleet.images.image_state": options}
    inventory, environment = "", {}
    for host in fleet:
        settings = " ".join(f"{name}_of_host={value}" for name, value in host.options({}).items())
        inventory += f"{host.engine}_host ansible_connection=local {settings}\n"
        environment.update(host.surroundings())
    plays = [
        {
            "hosts": "all",
            "gather_facts": False,
            "module_defaults": {"group/fleet.images.all": defaults},
            "environment": environment,
            "tasks": [task],
        }
    ]
    run = run_playbook(plays, home, arguments=arguments, inventory=inventory)
    assert run.returncode == 0, run.output
    return run


def results(run: PlaybookRun, fleet: list[EngineHost]) -> list[dict[str, t.Any]]:
    """Return what the task gave on each host, less what may differ: the engine, IDs and the time."""
    told = []
    for host in fleet:
        result = run.of("images", host=f"{host.engine}_host").result
        rows = [{key: value for key, value in row.items() if key != "id"} for row in result["images"]]
        kept = {key: result[key] for key in ("changed", "actions", "diff")}
        told.append({**kept, "images": rows, "untagged": result.get("untagged")})
    return told


def test_one_play_means_the_same_on_every_engine(
    fleet: list[EngineHost], repository: Repository, tmp_path: Path
) -> None:
    app = make_image({"v": b"app"}, layers=3, platform=HOST)
    proxy, pinned, old = (make_image({"v": name}) for name in (b"proxy", b"pinned", b"old"))
    repository.push("app", make_index([make_image({"v": b"other"}, platform=FOREIGN), app]))
    for tag, image in {"proxy": proxy, "pinned": pinned, "old": old}.items():
        repository.push(tag, image)
    images: list[dict[str, t.Any]] = [
        {"image": f"{repository}:app", "tags": ["fleet/app:current"]},
        {"image": f"{repository}:proxy"},
        {"image": f"{repository}:pinned@{pinned.digest}"},
        {"image": f"{repository}:old"},
    ]
    # One layer, and one that nothing else has: Docker and Podman do not tell which compressed layers they hold.
    moved = make_image({"v": b"proxy 2"})
    second: dict[str, t.Any] = {
        "images": [*images[:3], {"image": f"{repository}:old", "state": "absent"}],
        "unlisted": "remove",
        "pull": "newer",
    }
    for options in ({"images": images}, second):
        planned = results(play(fleet, tmp_path / "home", options, "--check", "--diff"), fleet)
        done = results(play(fleet, tmp_path / "home", options, "--diff"), fleet)
        assert done == planned
        for told in done[1:]:
            assert told == done[0]
        assert done[0]["changed"] is True
        again = results(play(fleet, tmp_path / "home", options), fleet)
        assert all(told == again[0] for told in again)
        assert again[0]["changed"] is False
        held = [host.images() for host in fleet]
        assert all(names == held[0] for names in held)
        repository.push("proxy", moved)
    assert set(held[0]) == {
        f"{repository}:app",
        "docker.io/fleet/app:current",
        f"{repository}:proxy",
        f"{repository}:pinned",
    }
    assert held[0][f"{repository}:app"] == app.config.digest
