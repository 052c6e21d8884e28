# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook with three hosts, as users run it: plan, apply, nothing left to do; and defaults for the whole group."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook

if t.TYPE_CHECKING:
    from pathlib import Path

HOSTS = ("web1", "web2", "db1")


def converge(tmp_path: Path, images: list[dict[str, t.Any]], *arguments: str, **options: t.Any) -> PlaybookRun:
    """Run a play that brings all hosts to ``images``, each with a store of its own."""
    task = {"name": "images of the fleet", "fleet.images.image_state": {"images": images, **options}}
    defaults = {"group/fleet.images.all": {"engine": "layout", "store": f"{tmp_path}/{{{{ inventory_hostname }}}}"}}
    plays = [{"hosts": "all", "gather_facts": False, "module_defaults": defaults, "tasks": [task]}]
    inventory = "".join(f"{name} ansible_connection=local\n" for name in HOSTS)
    return run_playbook(plays, tmp_path / "home", arguments=arguments, inventory=inventory)


def test_a_fleet_is_planned_converged_and_then_at_rest(repository: Repository, tmp_path: Path) -> None:
    app, proxy = make_image({"v": b"app"}, layers=2), make_image({"v": b"proxy"})
    repository.push("app", app)
    repository.push("proxy", proxy)
    images: list[dict[str, t.Any]] = [{"image": f"{repository}:app", "tags": ["fleet/app:current"]}]
    images.append({"image": f"{repository}:proxy"})
    stores = {name: Host(tmp_path / name) for name in HOSTS}

    planned = converge(tmp_path, images, "--check", "--diff")
    assert planned.returncode == 0, planned.output
    assert planned.output.count("Plan: 2 to pull, 1 to tag") == len(HOSTS)
    assert planned.output.count(f"+ pull  {repository}:app") == len(HOSTS)
    assert not any(host.store.exists() for host in stores.values())

    done = converge(tmp_path, images, "--diff")
    assert done.returncode == 0, done.output
    for name, host in stores.items():
        result = done.of("images of the fleet", host=name).result
        assert result["changed"]
        assert result["actions"] == planned.of("images of the fleet", host=name).result["actions"]
        assert host.names() == {
            f"{repository}:app": app.digest,
            f"{repository}:proxy": proxy.digest,
            "docker.io/fleet/app:current": app.digest,
        }
        assert host.skopeo_digest(f"{repository}:app") == app.digest

    again = converge(tmp_path, images, "--diff")
    assert again.returncode == 0, again.output
    assert again.output.count("changed=0") == len(HOSTS)
    assert "Plan:" not in again.output

    moved = make_image({"v": b"app 2"}, layers=2)
    repository.push("app", moved)
    shown = converge(tmp_path, images, "--check", "--diff", pull="newer")
    line = f"~ pull  {repository}:app  {app.digest[:19]} -> {moved.digest[:19]}"
    assert shown.output.count(line) == len(HOSTS), shown.output
    assert shown.output.count(f"-{repository}:app {app.digest}\n") == len(HOSTS)
    assert shown.output.count(f"+{repository}:app {moved.digest}\n") == len(HOSTS)
    assert all(f"{repository}:app" in host.names() for host in stores.values())


def test_every_module_takes_the_defaults_of_the_group(repository: Repository, tmp_path: Path) -> None:
    image = make_image({"v": b"defaults"})
    repository.push("1", image)
    name = f"{repository}:1"
    everything = {
        "engine": "layout",
        "store": str(tmp_path / "store"),
        "default_registry": repository.registry.host,
        "registry_auth": [{"registry": "quay.example", "username": "u", "password": "Pa55-of-quay"}],
        "parallel": 2,
        "retry": 1,
    }
    tasks: list[dict[str, t.Any]] = [
        {"name": "pull", "fleet.images.image_pull": {"name": f"{repository.path}:1"}},
        {"name": "state", "fleet.images.image_state": {"images": [{"image": name}]}},
        {"name": "tag", "fleet.images.image_tag": {"name": name, "repository": ["a/b:1"]}},
        {"name": "push", "fleet.images.image_push": {"name": name, "repository": [f"{repository}:2"]}},
        {"name": "info", "fleet.images.image_info": {"name": name}},
        {
            "name": "build",
            "fleet.images.image_build": {"name": "team/made:1", "dockerfile_inline": "FROM scratch\nLABEL a=b\n"},
        },
        {"name": "rmi", "fleet.images.image_rmi": {"name": name}},
    ]
    defaults = {"group/fleet.images.all": everything}
    plays = [{"hosts": "all", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}]
    run = run_playbook(plays, tmp_path / "home")
    assert run.returncode == 0, run.output
    assert {row.task: row.changed for row in run.results} == {
        "pull": True,
        "state": False,
        "tag": True,
        "push": True,
        "info": False,
        "build": True,
        "rmi": True,
    }
    assert run.of("info").result["images"][0]["digest"] == image.digest
    assert repository.digest("2") == image.digest
    host = repository.registry.host
    assert set(Host(tmp_path / "store").names()) == {f"{repository}:2", f"{host}/a/b:1", f"{host}/team/made:1"}
