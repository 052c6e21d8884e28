# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters and the lookup as playbooks use them: against a real registry, with log-ins, certificates and platforms."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, make_index, push
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry
from ansible_collections.fleet.images.tests.support.skopeo import manifest_digest

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

USER, PASSWORD = "deploy", "Pa55-of-the-lookup"
APP = make_image({"v": b"app"})
MANY = make_index([make_image({"v": b"many"}), make_image({"v": b"many"}, platform="linux/arm64")])


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield a registry with a certificate of its own that wants a log-in and holds team/app:1."""
    options = RegistryOptions(users={USER: PASSWORD}, tls=True)
    with start_registry(tmp_path_factory.mktemp("locked"), options) as server:
        push(server, "team/app", APP, tag="1")
        yield server


def show(folder: Path, expressions: t.Mapping[str, str], **variables: t.Any) -> PlaybookRun:
    """Run a play whose tasks show the value of each expression; those that fail do not stop it."""
    tasks = [
        {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ {expression} }}}}"}, "ignore_errors": True}
        for name, expression in expressions.items()
    ]
    inventory = "localhost ansible_connection=local ansible_broken='{{ nobody_has_this }}'\n"
    plays = [{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}]
    return run_playbook(plays, folder, inventory=inventory)


def test_filters_and_lookup_give_what_other_tools_see(repository: Repository, tmp_path: Path) -> None:
    repository.push("1", APP)
    repository.push("many", MANY)
    names = [f"{repository}:1", f"{repository}:many"]
    shown = show(
        tmp_path,
        {
            "parts": "names | map('fleet.images.reference') | map(attribute='tag') | list",
            "short": "'docker.io/library/redis' | fleet.images.familiar",
            "one": "lookup('fleet.images.digest', names[0])",
            "all": "query('fleet.images.digest', *names)",
            "arm": "query('fleet.images.digest', names[1], platform='arm64')",
            "completed": "lookup('fleet.images.digest', short, default_registry=host, default_tag='1')",
            "second": "lookup('fleet.images.digest', 'x', default_registry=host, default_namespaces=spaces)",
            "lists": "query('fleet.images.of_hosts', 'localhost', variable='own', default=names)",
            "broken": "query('fleet.images.of_hosts', 'localhost', variable='ansible_broken')",
        },
        names=names,
        host=repository.registry.host,
        short=repository.path,
        spaces=["nowhere", repository.path],
    )
    push(repository.registry, f"{repository.path}/x", APP, tag="latest")
    values = {row.task: row.result.get("msg") for row in shown.results}
    addresses = [f"docker://{name}" for name in names]
    assert values["parts"] == ["1", "many"]
    assert values["short"] == "redis:latest"
    assert values["one"] == manifest_digest(addresses[0]) == APP.digest
    assert values["all"] == [manifest_digest(address) for address in addresses]
    assert values["arm"] == [MANY.images[1].digest]
    assert values["completed"] == APP.digest
    assert shown.of("second").status == "ignored"
    assert values["lists"] == [names], "no host has it, the play does"
    assert "ansible_broken of localhost: " in shown.of("broken").result["msg"]
    again = show(
        tmp_path / "again",
        {"second": "lookup('fleet.images.digest', 'x', default_registry=host, default_namespaces=spaces)"},
        host=repository.registry.host,
        spaces=["nowhere", repository.path],
    )
    assert again.of("second").result["msg"] == APP.digest


def test_a_log_in_and_a_certificate_open_the_registry(locked: Registry, tmp_path: Path) -> None:
    tmp_path.joinpath("auth").mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "auth" / "auth.json").write_text(json.dumps({"auths": {locked.host: {"auth": auth}}}))
    (tmp_path / "ca.pem").write_text(locked.certificates.authority.read_text() if locked.certificates else "")
    trusted = "registry_ca_path='ca.pem'"
    shown = show(
        tmp_path,
        {
            "options": f"lookup('fleet.images.digest', name, {trusted}, username=user, password=secret)",
            "rows": f"lookup('fleet.images.digest', name, {trusted}, registry_auth=rows)",
            "file": f"lookup('fleet.images.digest', name, {trusted}, auth_file='auth/auth.json')",
            "no check": "lookup('fleet.images.digest', name, tlsverify=false, username=user, password=secret)",
            "no log-in": f"lookup('fleet.images.digest', name, {trusted})",
            "wrong": f"lookup('fleet.images.digest', name, {trusted}, username=user, password=wrong)",
            "unknown authority": "lookup('fleet.images.digest', name, username=user, password=secret)",
        },
        name=f"{locked.host}/team/app:1",
        user=USER,
        secret=PASSWORD,
        wrong=PASSWORD[::-1],
        rows=[{"registry": locked.host, "username": USER, "password": "{{ secret }}"}],
    )
    for task in ("options", "rows", "file", "no check"):
        assert shown.of(task).result["msg"] == APP.digest, shown.output
    failures = {task: str(shown.of(task).result) for task in ("no log-in", "wrong", "unknown authority")}
    assert "wants a log-in" in failures["no log-in"] or "credentials" in failures["no log-in"], failures
    assert "refused" in failures["wrong"], failures
    assert "certificate" in failures["unknown authority"], failures
    assert PASSWORD not in shown.output
    assert PASSWORD[::-1] not in shown.output


def test_what_cannot_be_resolved_is_told_with_the_names(repository: Repository, tmp_path: Path) -> None:
    repository.push("1", APP)
    shown = show(
        tmp_path,
        {
            "missing": f"query('fleet.images.digest', '{repository}:2', '{repository}:1', '{repository}:3')",
            "bad": "lookup('fleet.images.digest', 'No')",
            "down": "lookup('fleet.images.digest', '127.0.0.1:1/a/b', retry=0)",
            "platform": f"lookup('fleet.images.digest', '{repository}:1', platform='s390x')",
            "ignored": f"lookup('fleet.images.digest', '{repository}:2', errors='ignore') | default('none', true)",
        },
    )
    told = {row.task: str(row.result) for row in shown.results}
    assert f"{repository}:2" in told["missing"]
    assert f"{repository}:3" in told["missing"]
    assert f"no {repository}:1" not in told["missing"]
    assert "'No' is not an image reference" in told["bad"].replace("\\'", "'")
    assert "127.0.0.1:1" in told["down"]
    assert "does not exist for linux/s390x" in told["platform"]
    assert shown.of("ignored").result["msg"] == "none"
