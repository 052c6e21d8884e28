# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_lock as a task: it runs on the control node, paths start at the playbook, and any Ansible writes the same."""

from __future__ import annotations

import json
import subprocess
import typing as t

from ansible_collections.fleet.images.tests.support.images import push, push_image, push_index
from ansible_collections.fleet.images.tests.support.other_ansible import VERSION, other_ansible_playbook
from ansible_collections.fleet.images.tests.support.playbook import ansible_environment, run_playbook
from ansible_collections.fleet.images.tests.support.programs import require, run

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.registry import Registry

#: A host that cannot be reached: who sends anything there gets "unreachable".
NOWHERE = "far ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n"


def play(**options: t.Any) -> list[dict[str, t.Any]]:
    """Return a play whose one task locks, for a host where nothing can be done, as somebody who cannot be."""
    task = {"name": "lock", "fleet.images.image_lock": options, "become": True, "become_user": "nobody-at-all"}
    return [{"hosts": "all", "gather_facts": False, "tasks": [task]}]


def test_the_control_node_locks_whatever_host_the_task_is_for(registry: Registry, tmp_path: Path) -> None:
    name = registry.reference("plays/app", "1")
    push_image(registry, "plays/app", "1")
    plays = play(images=[{"image": name}], path="locks/a.json")
    (tmp_path / "locks").mkdir()
    announced = run_playbook(plays, tmp_path, inventory=NOWHERE, arguments=["--check", "--diff"])
    assert announced.of("lock").changed, announced.output
    assert "Lock: 1 to add." in announced.output
    assert f"+{name} sha256:" in announced.output
    assert list((tmp_path / "locks").iterdir()) == []
    done = run_playbook(plays, tmp_path, inventory=NOWHERE)
    assert done.of("lock").changed, done.output
    assert done.of("lock").result["path"] == str(tmp_path / "locks" / "a.json")
    assert list(json.loads((tmp_path / "locks" / "a.json").read_bytes())["images"]) == [name]
    assert not run_playbook(plays, tmp_path, inventory=NOWHERE).of("lock").changed


def test_a_delegated_task_locks_on_the_control_node_too(registry: Registry, tmp_path: Path) -> None:
    name = registry.reference("delegated/app", "1")
    push_image(registry, "delegated/app", "1")
    plays = play(images=[{"image": name}])
    plays[0]["tasks"][0].update(delegate_to="elsewhere", run_once=True)
    done = run_playbook(plays, tmp_path, inventory=f"{NOWHERE}elsewhere ansible_host=127.0.0.1 ansible_port=1\n")
    assert done.of("lock").changed, done.output
    assert (tmp_path / "images.lock.json").exists()


def test_a_wrong_document_and_files_that_name_images_are_told_as_on_hosts(registry: Registry, tmp_path: Path) -> None:
    name = registry.reference("files/app", "1")
    push_image(registry, "files/app", "1")
    wrong = run_playbook(play(images=[{"image": name, "pul": "newer"}]), tmp_path, inventory=NOWHERE).of("lock")
    assert wrong.status == "failed"
    assert wrong.result["error"]["problems"][0]["path"] == "images[0].pul"
    compose = {"services": {"web": {"image": name}, "made": {"build": "."}}}
    (tmp_path / "compose.yaml").write_text(json.dumps(compose), encoding="utf-8")
    done = run_playbook(play(from_file=["compose.yaml"]), tmp_path, inventory=NOWHERE)
    assert done.of("lock").changed, done.output
    assert done.of("lock").result["sources"] == [{"image": name, "found": ["compose.yaml: services.web.image"]}]
    assert any("made" in warning for warning in done.of("lock").result["warnings"])
    neither = run_playbook(play(path="x.json"), tmp_path, inventory=NOWHERE).of("lock")
    assert neither.status == "failed"
    assert not (tmp_path / "x.json").exists()


def test_dockerfiles_lie_beside_the_playbook_and_secrets_of_builds_stay_in_the_task(
    registry: Registry, tmp_path: Path
) -> None:
    push_image(registry, "beside/base", "1")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "My.Dockerfile").write_text(f"FROM {registry.host}/beside/base:1\nRUN x\n", encoding="utf-8")
    build = {"path": "site", "file": "My.Dockerfile", "secrets": [{"id": "s", "value": "s3cret-word"}]}
    plays = play(images=[{"name": "site:1", "build": build, "push": False}])
    done = run_playbook(plays, tmp_path, inventory=NOWHERE, arguments=["-vvvv"])
    assert done.of("lock").changed, done.output
    assert [row["reference"] for row in done.of("lock").result["images"]] == [registry.reference("beside/base", "1")]
    assert "s3cret-word" not in json.dumps(done.of("lock").result)


def test_a_build_from_git_locks_the_bases_of_its_commit(registry: Registry, tmp_path: Path) -> None:
    require("git")
    push_image(registry, "git/base", "1")
    tree = tmp_path / "tree"
    (tree / "site").mkdir(parents=True)
    (tree / "site" / "Dockerfile").write_text(f"FROM {registry.host}/git/base:1\nRUN x\n", encoding="utf-8")
    who = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "one"]):
        run(["git", "-C", tree, *words])
    plays = play(images=[{"image": "site:1", "build": {"path": f"file://{tree}/.git#main:site"}}])
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run_playbook(plays, tmp_path / "home", inventory=NOWHERE, environment=cache)
    assert done.of("lock").changed, done.output
    assert [row["reference"] for row in done.of("lock").result["images"]] == [registry.reference("git/base", "1")]


def test_fifty_references_are_locked_byte_for_byte_alike_by_two_versions_of_ansible_on_two_paths(
    registry: Registry, tmp_path: Path
) -> None:
    names = []
    for number in range(10):
        index = push_index(registry, f"versions/app{number}", "v0")
        for tag in range(1, 5):
            push(registry, f"versions/app{number}", index, tag=f"v{tag}")
        names += [registry.reference(f"versions/app{number}", f"v{tag}") for tag in range(5)]
    plays = play(images=[{"image": name} for name in names])
    ours, other = tmp_path / "ours", tmp_path / "another path"
    assert run_playbook(plays, ours, inventory=NOWHERE).of("lock").changed
    other.mkdir()
    (other / "playbook.json").write_text(json.dumps(plays), encoding="utf-8")
    (other / "inventory.ini").write_text(NOWHERE, encoding="utf-8")
    program = other_ansible_playbook()
    environment = ansible_environment(other)
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True, env=environment).stdout
    assert f"[core {VERSION}." in told
    finished = subprocess.run(
        [program, "-i", other / "inventory.ini", other / "playbook.json"],
        cwd=other,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len(json.loads((ours / "images.lock.json").read_bytes())["images"]) == 50
    assert (ours / "images.lock.json").read_bytes() == (other / "images.lock.json").read_bytes()
