# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A play with a lock on several hosts: the locked bytes everywhere, at rest without any registry, bad locks refused."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.registry import start_registry

if t.TYPE_CHECKING:
    from pathlib import Path

HOSTS = ("web1", "web2", "db1")
LOCK = "images.lock.json"
NOWHERE = "far ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n"
TASK = "the fleet"


def converge(tmp_path: Path, *arguments: str, inventory: str = "", **options: t.Any) -> PlaybookRun:
    """Run a play of one task with ``options``; each host has a store of its own."""
    where = {"engine": "layout", "store": f"{tmp_path}/{{{{ inventory_hostname }}}}", "retry": 0}
    task = {"name": TASK, "fleet.images.image_state": {**where, **options}}
    plays = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    local = "".join(f"{name} ansible_connection=local\n" for name in HOSTS)
    shown = {"ANSIBLE_INJECT_INVOCATION": "true"}  # recent ansible-core keeps the arguments out of results otherwise
    return run_playbook(
        plays, tmp_path / "home", arguments=arguments, inventory=inventory or local, environment=shown
    )


def write_lock(tmp_path: Path, document: object) -> None:
    """Put a lock beside the playbook; a text is written as it is."""
    folder = tmp_path / "home"
    folder.mkdir(exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document, indent=2, sort_keys=True) + "\n"
    (folder / LOCK).write_text(text, encoding="utf-8")


def test_a_fleet_takes_the_locked_bytes_and_rests_while_the_origin_is_stopped(tmp_path: Path) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST, layers=2), make_image({"a": b"2"}, platform=FOREIGN)
    index, tool = make_index([foreign, ours]), make_image({"v": b"tool"})
    with start_registry(tmp_path / "registry") as server, CountingProxy(server.url) as proxy:
        repository = Repository(server, "fleet/app", proxy.host)
        repository.push("1", index)
        repository.push("tool", tool)
        names: dict[str, MadeImage | MadeIndex] = {f"{repository}:1": index, f"{repository}:tool": tool}
        write_lock(tmp_path, lock_of(names))
        repository.push("1", make_image({"a": b"moved"}))
        repository.push("tool", make_image({"v": b"moved"}))
        options: dict[str, t.Any] = {"images": [{"image": name} for name in names], "lock": LOCK}

        planned = converge(tmp_path, "--check", "--diff", **options)
        assert planned.returncode == 0, planned.output
        assert planned.output.count("Plan: 2 to pull") == len(HOSTS)
        assert planned.output.count(f"+{repository}:1 {index.digest}\n") == len(HOSTS)
        done = converge(tmp_path, "--diff", **options)
        assert done.returncode == 0, done.output
        proxy.reset()
        rested = converge(tmp_path, pull="always", **options)
        assert proxy.exchanges() == []
        assert rested.output.count("changed=0") == len(HOSTS), rested.output

    for name in HOSTS:
        host = Host(tmp_path / name)
        assert host.names() == {f"{repository}:1": ours.digest, f"{repository}:tool": tool.digest}
        assert host.skopeo_digest(f"{repository}:1") == ours.digest
        told, announced = (run.of(TASK, host=name).result for run in (done, planned))
        assert told["actions"] == announced["actions"]
        assert told["invocation"]["module_args"]["lock"] == LOCK

    for arguments in (("--check", "--diff"), ()):
        again = converge(tmp_path, *arguments, pull="newer", **options)
        assert again.returncode == 0, again.output
        assert again.output.count("changed=0") == len(HOSTS)
        assert [row["digest"] for row in again.of(TASK).result["images"]] == [index.digest, tool.digest]


def test_content_of_a_lock_and_images_of_a_compose_file_serve_as_well(
    repository: Repository, tmp_path: Path
) -> None:
    image = make_image({"v": b"1"})
    repository.push("1", image)
    name = f"{repository}:1"
    write_lock(tmp_path, lock_of({name: image}))
    compose = tmp_path / "home" / "compose.yaml"
    compose.write_text(f"services:\n  web:\n    image: {name}\n  own:\n    build: .\n", encoding="utf-8")
    content = f"{{{{ lookup('ansible.builtin.file', '{LOCK}') }}}}"
    options: dict[str, t.Any] = {"from_file": "compose.yaml", "inventory": "web1 ansible_connection=local\n"}
    done = converge(tmp_path, lock=content, **options)
    assert done.returncode == 0, done.output
    assert Host(tmp_path / "web1").names() == {name: image.digest}
    result = done.of(TASK).result
    assert result["sources"] == [{"image": name, "found": ["compose.yaml: services.web.image"]}]
    assert any("own" in warning for warning in result["warnings"])
    for same in (LOCK, lock_of({name: image})):  # a mapping comes with numbers that Ansible has marked
        again = converge(tmp_path, lock=same, **options)
        assert again.output.count("changed=0") == 1, again.output


@pytest.mark.parametrize("code", ["lock-edited", "lock-not-json", "lock-version", "lock-invalid", "lock-unreadable"])
def test_a_bad_lock_fails_before_any_host_is_reached(tmp_path: Path, code: str) -> None:
    good = lock_of({"docker.io/library/redis:7": make_image({"v": b"1"})})
    text = json.dumps(good, indent=2)
    other = make_image({"v": b"2"}).digest
    bad: dict[str, str] = {
        "lock-edited": text.replace(good["images"]["docker.io/library/redis:7"]["digest"], other),
        "lock-not-json": text[: len(text) // 2],
        "lock-version": json.dumps({**good, "version": 9}),
        "lock-invalid": text.replace('"media_type"', '"kind"'),
    }
    if code in bad:
        write_lock(tmp_path, bad[code])
    options: dict[str, t.Any] = {"images": [{"image": "redis:7"}], "lock": LOCK, "inventory": NOWHERE}
    for arguments in ((), ("--check", "--diff")):
        refused = converge(tmp_path, *arguments, **options).of(TASK)
        assert refused.status == "failed"
        assert (refused.result["error"]["class"], refused.result["error"]["code"]) == ("InputError", code)
        assert LOCK in refused.result["msg"]


def test_a_lock_for_another_platform_is_told_by_every_host(repository: Repository, tmp_path: Path) -> None:
    name, image = f"{repository}:1", make_image({"v": b"1"}, platform=FOREIGN)
    repository.push("1", image)
    write_lock(tmp_path, lock_of({name: make_index([image])}))
    refused = converge(tmp_path, images=[{"image": name}], lock=LOCK)
    for host in HOSTS:
        error = refused.of(TASK, host=host).result["error"]
        assert (error["code"], error["subject"]) == ("lock-platform-missing", "images[0]")
        assert (HOST in error["what"], FOREIGN in error["why"]) == (True, True)
        assert not (tmp_path / host).exists()


def test_what_image_lock_writes_is_what_every_host_gets_until_it_is_locked_again(
    repository: Repository, tmp_path: Path
) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index, base = make_index([foreign, ours]), make_image({"b": b"1"}, labels={"base": "one"})
    repository.push("1", index)
    repository.push("base", base)
    build = {"dockerfile_inline": f"FROM {repository}:base\nLABEL own=yes\n"}
    images: list[dict[str, t.Any]] = [{"image": f"{repository}:1"}, {"image": "site:1", "build": build}]
    task = {"name": "lock", "fleet.images.image_lock": {"images": images, "path": LOCK}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]

    locking = run_playbook(plays, tmp_path / "home")
    assert locking.returncode == 0, locking.output
    moved, moved_base = make_image({"a": b"moved"}), make_image({"b": b"2"}, labels={"base": "two"})
    repository.push("1", moved)
    repository.push("base", moved_base)
    done = converge(tmp_path, images=images, lock=LOCK)
    assert done.returncode == 0, done.output
    names = [Host(tmp_path / name).names() for name in HOSTS]
    assert names[0][f"{repository}:1"] == ours.digest
    assert names == names[:1] * len(HOSTS)
    assert converge(tmp_path, images=images, lock=LOCK).output.count("changed=0") == len(HOSTS)

    assert run_playbook(plays, tmp_path / "home").of("lock").changed
    shown = converge(tmp_path, "--check", "--diff", images=images, lock=LOCK)
    assert shown.output.count(f"~ pull  {repository}:1  {index.digest[:19]} -> {moved.digest[:19]}") == len(HOSTS)
    assert shown.output.count(f"its inputs changed: base {repository}:base ") == len(HOSTS), shown.output
    assert [Host(tmp_path / name).names() for name in HOSTS] == names


def test_a_role_finds_its_lock_among_its_files(repository: Repository, tmp_path: Path) -> None:
    image = make_image({"v": b"1"})
    repository.push("1", image)
    name = f"{repository}:1"
    role = tmp_path / "home" / "roles" / "web"
    task = {"name": TASK, "fleet.images.image_state": {"images": [{"image": name}], "lock": LOCK}}
    files: dict[str, tuple[str, object]] = {"files": (LOCK, lock_of({name: image})), "tasks": ("main.yml", [task])}
    for folder, (file, content) in files.items():
        (role / folder).mkdir(parents=True)
        (role / folder / file).write_text(json.dumps(content), encoding="utf-8")
    defaults = {"group/fleet.images.all": {"engine": "layout", "store": str(tmp_path / "store")}}
    plays = [{"hosts": "all", "gather_facts": False, "module_defaults": defaults, "roles": ["web"]}]
    done = run_playbook(plays, tmp_path / "home")
    assert done.returncode == 0, done.output
    assert Host(tmp_path / "store").names() == {name: image.digest}
