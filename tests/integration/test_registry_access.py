# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-ins and certificates: what opens a registry, what each wrong key is answered with, and that none is told."""

from __future__ import annotations

import base64
import json
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.certificates import make_certificates
from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.lifecycle import Host
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "deploy", "Pa55-of-the-registry"
WRONG = "Pa55-that-is-wrong"
IMAGE = make_image({"v": b"private"}, layers=2)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield a registry that wants a log-in and holds team/app:1."""
    with start_registry(tmp_path_factory.mktemp("locked"), RegistryOptions(users={USER: PASSWORD})) as server:
        push(server, "team/app", IMAGE, tag="1")
        yield server


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield a registry with a certificate of an authority that nobody knows; it wants a log-in, too."""
    options = RegistryOptions(users={USER: PASSWORD}, tls=True)
    with start_registry(tmp_path_factory.mktemp("encrypted"), options) as server:
        push(server, "team/app", IMAGE, tag="1")
        yield server


def auth_file(folder: Path, registry: str, password: str) -> Path:
    """Write a file of log-ins as docker login does, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {registry: {"auth": auth}}}), encoding="utf-8")
    return path


def given(way: str, *, registry: str, password: str, folder: Path) -> tuple[dict[str, t.Any], dict[str, str]]:
    """Return the options and the environment that give a log-in in one of the ways there are."""
    row = {"username": USER, "password": password}
    if way == "options":
        return dict(row), {}
    if way == "registry_auth":
        return {"registry_auth": [{"registry": registry, **row}]}, {}
    if way == "registry_auth of a part":
        other = {"registry": registry, "username": "other", "password": WRONG}
        return {"registry_auth": [other, {"registry": f"{registry}/team", **row}]}, {}
    path = auth_file(folder / "docker", registry, password)
    if way == "auth_file":
        return {"auth_file": str(path)}, {}
    if way == "REGISTRY_AUTH_FILE":
        return {}, {"REGISTRY_AUTH_FILE": str(path)}
    return {}, {"DOCKER_CONFIG": str(path.parent)}


WAYS = ["options", "registry_auth", "registry_auth of a part", "auth_file", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"]


def refusal(host: Host, registry: Registry, **options: t.Any) -> dict[str, t.Any]:
    """Return the error of a pull that must fail, after a look for secrets in it."""
    error = host.refuse("image_pull", name=registry.reference("team/app", "1"), **options)
    for secret in (PASSWORD, WRONG, base64.b64encode(f"{USER}:{WRONG}".encode()).decode()):
        assert secret not in json.dumps(error)
    assert not host.store.exists()
    return error


@pytest.mark.parametrize("way", WAYS)
def test_the_right_log_in_opens_the_registry(host: Host, locked: Registry, tmp_path: Path, way: str) -> None:
    options, environment = given(way, registry=locked.host, password=PASSWORD, folder=tmp_path)
    there = host._replace(environment=environment)
    there.do("image_pull", name=locked.reference("team/app", "1"), **options)
    assert there.names() == {locked.reference("team/app", "1"): IMAGE.digest}
    if way == "options":
        there.settle("image_push", name=locked.reference("team/app", "1"), repository=[f"{locked.host}/b:2"], **options)
        assert locked.digest("b", "2") == IMAGE.digest
        result = there.do("image_info", name=locked.reference("team/app", "1"), remote=True, **options)
        assert result["remotes"] == {locked.reference("team/app", "1"): IMAGE.digest}


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_password_is_refused_and_the_user_named(
    host: Host, locked: Registry, tmp_path: Path, way: str
) -> None:
    options, environment = given(way, registry=locked.host, password=WRONG, folder=tmp_path)
    error = refusal(host._replace(environment=environment), locked, **options)
    assert (error["class"], error["code"]) == ("AuthError", "auth-refused")
    assert USER in error["what"]
    assert "check user name and password" in error["msg"].lower()


def test_without_a_log_in_the_message_says_how_to_give_one(host: Host, locked: Registry) -> None:
    error = refusal(host, locked)
    assert (error["class"], error["code"]) == ("AuthError", "auth-required")
    assert "give username and password" in error["msg"]
    assert "credentials were looked for in" in error["msg"]


def test_a_log_in_for_another_registry_is_none_for_this_one(host: Host, locked: Registry, tmp_path: Path) -> None:
    for options in (
        {"auth_file": str(auth_file(tmp_path / "other", "quay.example", PASSWORD))},
        {"registry_auth": [{"registry": "quay.example", "username": USER, "password": PASSWORD}]},
    ):
        assert refusal(host, locked, **options)["code"] == "auth-required"


def test_a_log_in_that_may_not_push_is_told_before_anything_is_changed(host: Host, locked: Registry) -> None:
    login = {"username": USER, "password": PASSWORD}
    name = locked.reference("team/app", "1")
    host.do("image_pull", name=name, **login)
    error = host.refuse("image_push", name=name, repository=[f"{locked.host}/c:1"])
    assert error["code"] == "auth-required"
    assert host.names() == {name: IMAGE.digest}


def test_an_auth_file_that_is_missing_or_malformed_is_an_error_that_names_it(
    host: Host, locked: Registry, tmp_path: Path
) -> None:
    missing = tmp_path / "none.json"
    error = refusal(host, locked, auth_file=str(missing))
    assert (error["code"], error["subject"]) == ("auth-file-missing", str(missing))
    assert "copy it there first" in error["msg"]
    malformed = tmp_path / "malformed.json"
    malformed.write_text('{"auths": {', encoding="utf-8")
    error = refusal(host, locked, auth_file=str(malformed))
    assert (error["code"], error["subject"]) == ("bad-auth-file", str(malformed))
    assert "docker login" in error["msg"]


def test_one_log_in_for_several_registries_is_refused(host: Host, locked: Registry) -> None:
    names = [locked.reference("team/app", "1"), "quay.example/a:1"]
    error = host.refuse("image_pull", name=names, username=USER, password=PASSWORD)
    assert error["code"] == "credentials-for-several-registries"
    assert "registry_auth" in error["msg"]


def test_a_certificate_of_an_unknown_authority_is_not_trusted(host: Host, encrypted: Registry) -> None:
    error = refusal(host, encrypted, username=USER, password=PASSWORD)
    assert error["code"] == "tls-untrusted"
    assert "registry_ca_path" in error["msg"]
    assert "registry_validate_certs" in error["msg"]
    assert refusal(host, encrypted, registry_validate_certs=True)["code"] == "tls-untrusted"


@pytest.mark.parametrize("way", ["file", "folder", "unchecked"])
def test_a_named_authority_or_no_check_opens_the_registry(
    host: Host, encrypted: Registry, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "ours.crt").write_bytes(Path(encrypted.ca_path).read_bytes())
    ways: dict[str, dict[str, t.Any]] = {
        "file": {"registry_ca_path": encrypted.ca_path},
        "folder": {"registry_ca_path": str(folder)},
        "unchecked": {"registry_validate_certs": False},
    }
    name = encrypted.reference("team/app", "1")
    host.do("image_pull", name=name, username=USER, password=PASSWORD, **ways[way])
    assert host.names() == {name: IMAGE.digest}


def test_behind_a_trusted_certificate_log_ins_matter_as_ever(host: Host, encrypted: Registry) -> None:
    trust = {"registry_ca_path": encrypted.ca_path}
    assert refusal(host, encrypted, **trust)["code"] == "auth-required"
    assert refusal(host, encrypted, username=USER, password=WRONG, **trust)["code"] == "auth-refused"


def test_each_wrong_authority_has_its_own_error(host: Host, encrypted: Registry, tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "other").authority
    assert refusal(host, encrypted, registry_ca_path=str(other))["code"] == "tls-untrusted"
    assert refusal(host, encrypted, registry_ca_path=str(tmp_path / "none.crt"))["code"] == "ca-path-unreadable"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(host, encrypted, registry_ca_path=str(empty))["code"] == "ca-path-empty"


def test_a_certificate_for_another_host_and_a_registry_without_tls_are_told_apart(
    host: Host, locked: Registry, tmp_path: Path
) -> None:
    made = make_certificates(tmp_path / "registry" / "certificates", names=["DNS:elsewhere.example"])
    with start_registry(tmp_path / "registry", RegistryOptions(tls=True)) as misnamed:
        error = refusal(host, misnamed, registry_ca_path=str(made.authority))
        assert error["code"] == "tls-wrong-host"
        assert "certificate" in error["fix"]
    error = refusal(host, locked, registry_validate_certs=True, username=USER, password=PASSWORD)
    assert error["code"] == "tls-not-spoken"
    assert "registry_validate_certs" in error["msg"]


def test_no_secret_shows_in_a_verbose_playbook_or_among_the_processes(locked: Registry, tmp_path: Path) -> None:
    refused = "Pa55-that-is-refused"
    words = (PASSWORD, refused)
    secrets = (*words, *(base64.b64encode(f"{USER}:{word}".encode()).decode() for word in words))
    with CountingProxy(locked.url) as proxy:
        proxy.fail(Fault(path="/v2/", times=1000, delay=0.3))  # long enough to be seen among the processes
        name = f"{proxy.host}/team/app:1"
        common = {"engine": "layout", "store": str(tmp_path / "store"), "retry": 0}
        right, wrong = ({"username": USER, "password": f"{{{{ {word} }}}}"} for word in ("right", "wrong"))
        state = {**common, **right, "images": [{"image": name}]}
        push_options = {**common, "name": name, "repository": f"{proxy.host}/x:1"}
        pull = {**common, **wrong, "name": name, "pull": "always"}
        tasks = [
            {"name": "state", "fleet.images.image_state": state},
            {
                "name": "push",
                "fleet.images.image_push": {**push_options, "registry_auth": [{"registry": proxy.host, **right}]},
            },
            {"name": "refused", "fleet.images.image_pull": pull, "ignore_errors": True},
        ]
        # The words themselves are in a file of variables: a playbook that spells them shows them by itself.
        variables = tmp_path / "vars.json"
        variables.write_text(json.dumps({"right": PASSWORD, "wrong": refused}), encoding="utf-8")
        plays = [{"hosts": "all", "gather_facts": False, "vars_files": [str(variables)], "tasks": tasks}]
        ended, seen = threading.Event(), list[str]()
        watch = threading.Thread(target=_watch_processes, args=(ended, seen))
        watch.start()
        try:
            run = run_playbook(plays, tmp_path / "home", arguments=["-vvvv", "--diff"])
        finally:
            ended.set()
            watch.join()
    assert run.returncode == 0, run.output
    assert run.of("state").changed
    assert run.of("push").changed
    assert run.of("refused").result["error"]["code"] == "auth-refused"
    assert locked.digest("x", "1") == IMAGE.digest
    results = json.dumps([row.result for row in run.results])
    processes = "\n".join(seen)
    assert "AnsiballZ_image_pull" in processes
    for secret in secrets:
        assert secret not in run.output
        assert secret not in results
        assert secret not in processes


def _watch_processes(ended: threading.Event, seen: list[str]) -> None:
    """Collect the command line of every process of this machine until told to end."""
    while not ended.wait(0.05):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line and line not in seen[-4000:]:
                seen.append(line)
