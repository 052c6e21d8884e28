# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that a project's own files name, through real playbooks: on hosts, in the lock, and what is told."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook

if t.TYPE_CHECKING:
    from pathlib import Path

NAMES = ("web", "cache", "pod", "unit", "listed")
IMAGES = {name: make_image({"v": name.encode()}) for name in NAMES}
HOSTS = ("web1", "web2")
COMPOSE = """\
services:
  web: {{image: "${{REPO}}/web:${{TAG:-1}}", platform: linux/amd64}}
  cache: {{image: "{repository}/cache:1"}}
  made: {{build: .}}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  containers: [{{image: "{repository}/pod:1"}}, {{image: "{repository}/cache:1"}}]
"""
BUILT = "built and not pulled, so no image is taken from there"


def prepare(repository: Repository, folder: Path) -> list[object]:
    """Push all images, put files that name them beside the playbook, and return what ``from_file`` lists."""
    for name, image in IMAGES.items():
        push(repository.registry, f"{repository.path}/{name}", image, tag="1")
    files = {
        "compose.yaml": COMPOSE.format(repository=repository),
        "k8s/pod.yaml": POD.format(repository=repository),
        "k8s/values.yaml": "replicas: 2\n",
        "units/app.container": f"[Container]\nImage={repository}/unit:1\n",
        "images.txt": f"# more\n{repository}/listed:1\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return [{"path": "compose.yaml", "variables": {"REPO": str(repository)}}, "k8s", "units", "images.txt"]


def play(folder: Path, tasks: list[dict[str, t.Any]], *arguments: str) -> PlaybookRun:
    """Run ``tasks`` on all hosts, each with a store of its own."""
    defaults = {"group/fleet.images.all": {"engine": "layout", "store": f"{folder}/{{{{ inventory_hostname }}}}"}}
    plays = [{"hosts": "all", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}]
    inventory = "".join(f"{name} ansible_connection=local\n" for name in HOSTS)
    return run_playbook(plays, folder, arguments=arguments, inventory=inventory)


def converge(folder: Path, rows: list[object], *arguments: str, **options: t.Any) -> PlaybookRun:
    """Run image_state with ``from_file`` on all hosts."""
    task = {"name": "converge", "fleet.images.image_state": {"from_file": rows, **options}}
    return play(folder, [task], *arguments)


def test_a_fleet_converges_to_what_its_files_name(repository: Repository, tmp_path: Path) -> None:
    rows = prepare(repository, tmp_path)
    planned = converge(tmp_path, rows, "--check", "--diff")
    assert planned.returncode == 0, planned.output
    assert not any((tmp_path / name).exists() for name in HOSTS)

    done = converge(tmp_path, rows)
    for name in HOSTS:
        result = done.of("converge", host=name).result
        assert result["actions"] == planned.of("converge", host=name).result["actions"]
        assert {row["image"]: row["found"] for row in result["sources"]} == {
            f"{repository}/web:1": ["compose.yaml: services.web.image"],
            f"{repository}/cache:1": [
                "compose.yaml: services.cache.image",
                "k8s/pod.yaml: Pod/p spec.containers[1].image",
            ],
            f"{repository}/pod:1": ["k8s/pod.yaml: Pod/p spec.containers[0].image"],
            f"{repository}/unit:1": ["units/app.container: [Container] Image"],
            f"{repository}/listed:1": ["images.txt: line 2"],
        }
        assert f"compose.yaml: services.made: {BUILT}" in result["warnings"]
        assert Host(tmp_path / name).names() == {
            f"{repository}/{each}:1": image.digest for each, image in IMAGES.items()
        }
    again = converge(tmp_path, rows, "--diff")
    assert again.output.count("changed=0") == len(HOSTS), again.output


def test_the_tasks_own_entry_goes_before_a_files(repository: Repository, tmp_path: Path) -> None:
    rows = prepare(repository, tmp_path)
    converge(tmp_path, rows)
    own = [
        {"image": f"{repository}/cache:1", "state": "absent"},
        {"image": f"{repository}/listed:1", "tags": ["listed:current"]},
    ]
    (tmp_path / "images.txt").write_text("", encoding="utf-8")
    done = converge(tmp_path, rows, images=own, unlisted="remove")
    assert done.returncode == 0, done.output
    kept = {f"{repository}/{each}:1" for each in ("web", "pod", "unit", "listed")}
    for name in HOSTS:
        assert set(Host(tmp_path / name).names()) == {*kept, "docker.io/library/listed:current"}


def test_the_lock_has_what_the_files_name_and_binds_the_hosts(repository: Repository, tmp_path: Path) -> None:
    rows = prepare(repository, tmp_path)
    lock = {"name": "lock", "fleet.images.image_lock": {"from_file": rows}, "run_once": True}
    locked = play(tmp_path, [lock])
    assert locked.returncode == 0, locked.output
    result = locked.of("lock").result
    assert len(result["sources"]) == len(IMAGES)
    written = json.loads((tmp_path / "images.lock.json").read_text(encoding="utf-8"))["images"]
    assert {name: entry["digest"] for name, entry in written.items()} == {
        f"{repository}/{each}:1": image.digest for each, image in IMAGES.items()
    }
    moved = make_image({"v": b"moved"})
    push(repository.registry, f"{repository.path}/web", moved, tag="1")
    done = converge(tmp_path, rows, lock="images.lock.json")
    assert done.returncode == 0, done.output
    for name in HOSTS:
        assert Host(tmp_path / name).names()[f"{repository}/web:1"] == IMAGES["web"].digest
    shown = play(tmp_path, [lock], "--check").of("lock").result
    assert [row["reference"] for row in shown["images"] if row["action"] == "update"] == [f"{repository}/web:1"]


def test_all_that_is_wrong_with_files_is_told_before_a_host_is_reached(repository: Repository, tmp_path: Path) -> None:
    prepare(repository, tmp_path)
    (tmp_path / "bad.yaml").write_text("services: {a: {image: '${TAG}'}, b: {image: Nginx}}", encoding="utf-8")
    rows: list[object] = ["bad.yaml", "there.yaml", {"path": "images.txt", "format": "lists"}, "k8s/values.yaml"]
    failed = converge(tmp_path, rows)
    assert failed.returncode != 0
    for name in HOSTS:
        result = failed.of("converge", host=name).result
        assert [problem["path"] for problem in result["error"]["problems"]] == [
            "from_file[2].format",
            "bad.yaml: services.a.image",
            "there.yaml",
            "k8s/values.yaml",
            "bad.yaml: services.b.image",
        ]
        assert "the variable TAG has no value" in result["msg"]
    assert not any((tmp_path / name).exists() for name in HOSTS)


def test_a_role_finds_the_files_that_it_keeps(repository: Repository, tmp_path: Path) -> None:
    prepare(repository, tmp_path)
    role = tmp_path / "roles" / "app"
    (role / "tasks").mkdir(parents=True)
    (role / "files").mkdir()
    (tmp_path / "images.txt").rename(role / "files" / "own.txt")
    tasks = [{"name": "in the role", "fleet.images.image_state": {"from_file": "own.txt"}}]
    (role / "tasks" / "main.yml").write_text(json.dumps(tasks), encoding="utf-8")
    done = play(tmp_path, [{"ansible.builtin.include_role": {"name": "app"}}])
    assert done.returncode == 0, done.output
    assert Host(tmp_path / HOSTS[0]).names() == {f"{repository}/listed:1": IMAGES["listed"].digest}
