# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option verify on hosts: what is not signed is not pulled, and what is there is not asked for again."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support import images, signing
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository
from ansible_collections.fleet.images.tests.support.module import run_module

if t.TYPE_CHECKING:
    from pathlib import Path

TEAM = signing.signer()
OTHER = signing.signer(name="other")
SIGNED_BY_TEAM = [{"pattern": "*", "keys": [TEAM.pem]}]


def push(repository: Repository, tag: str = "1", *, seed: int = 1) -> images.MadeIndex:
    """Push an index, and return it."""
    made = images.make_index([
        images.make_image({"a": b"%d" % seed}, platform=platform) for platform in ("linux/amd64", "linux/arm64")
    ])
    repository.push(tag, made)
    return made


def sign(repository: Repository, digest: str, by: signing.Signer = TEAM) -> None:
    """Sign a digest under its tag."""
    layer = signing.signed(str(repository), digest, by)
    signing.push_tagged(repository.registry, repository.path, digest, layer)


def asks(module: str, repository: Repository, tag: str = "1", **given: t.Any) -> dict[str, t.Any]:
    """Return the options that want an image and nothing else."""
    name = f"{repository}:{tag}"
    wanted = {"name": [name]} if module == "image_pull" else {"images": [{"image": name, "pull": "newer"}]}
    return {**wanted, "verify": SIGNED_BY_TEAM, **given}


MODULES = pytest.mark.parametrize("module", ["image_pull", "image_state"])


@MODULES
def test_a_signed_image_is_pulled_and_an_unsigned_one_is_not(module: str, host: Host, repository: Repository) -> None:
    made = push(repository)
    error = host.refuse(module, **asks(module, repository))
    assert (error["class"], error["code"]) == ("IntegrityError", "signature-missing")
    sign(repository, made.digest, OTHER)
    assert host.refuse(module, **asks(module, repository))["code"] == "signature-invalid"
    sign(repository, made.digest)
    done = host.settle(module, **asks(module, repository))
    assert [row["digest"] for row in done["images"]] == [made.digest]


@MODULES
def test_a_tag_that_moved_to_an_unsigned_image_stays_where_it_is_on_the_host(
    module: str, host: Host, repository: Repository
) -> None:
    sign(repository, push(repository).digest)
    host.settle(module, **asks(module, repository))
    moved = push(repository, seed=2)
    assert host.refuse(module, **asks(module, repository))["code"] == "signature-missing"
    sign(repository, moved.digest)
    host.settle(module, **asks(module, repository))


def test_a_tag_that_moved_to_what_the_host_has_under_another_name_is_checked_too(
    host: Host, repository: Repository
) -> None:
    push(repository, "unsigned", seed=2)
    host.settle("image_pull", name=[f"{repository}:unsigned"])
    sign(repository, push(repository).digest)
    host.settle("image_pull", **asks("image_pull", repository))
    push(repository, seed=2)
    assert host.refuse("image_pull", **asks("image_pull", repository))["code"] == "signature-missing"


def test_a_host_that_has_all_asks_for_no_signature(host: Host, repository: Repository) -> None:
    push(repository)
    host.settle("image_pull", name=[f"{repository}:1"])
    for policy in ("missing", "always"):
        assert host.do("image_pull", **asks("image_pull", repository, pull=policy))["changed"] is False
    assert f"{repository.path}/manifests/sha256-" not in repository.registry.log.read_text(encoding="utf-8")


def test_bundles_serve_hosts_too(host: Host, repository: Repository) -> None:
    made = push(repository)
    bundle = signing.bundle(signing.statement(made.digest), TEAM)
    entry = signing.push_referrer(repository.registry, repository.path, made, bundle)
    signing.push_list(repository.registry, repository.path, made.digest, [entry])
    host.settle("image_pull", **asks("image_pull", repository))


def test_all_images_that_are_not_signed_are_told_at_once(host: Host, repository: Repository) -> None:
    sign(repository, push(repository, "1").digest)
    push(repository, "2", seed=2)
    push(repository, "3", seed=3)
    names = [f"{repository}:{tag}" for tag in "123"]
    error = host.refuse("image_pull", name=names, verify=SIGNED_BY_TEAM)
    assert error["code"] == "apply-failed"
    assert sorted(error["failed"]) == names[1:]
    assert {row["code"] for row in error["failed"].values()} == {"signature-missing"}


def test_the_most_exact_rule_decides_for_each_image(host: Host, repository: Repository, tmp_path: Path) -> None:
    key = tmp_path / "team.pub"
    key.write_text(TEAM.pem, encoding="utf-8")
    sign(repository, push(repository, "1").digest)
    push(repository, "2", seed=2)
    rules: list[dict[str, t.Any]] = [
        {"pattern": "*", "policy": "reject"},
        {"pattern": str(repository), "keys": [str(key)]},
        {"pattern": f"{repository}:2", "policy": "accept"},
    ]
    host.settle("image_pull", name=[f"{repository}:1", f"{repository}:2"], verify=rules)
    other = Repository(repository.registry, f"{repository.path}x")
    sign(other, push(other).digest)
    assert host.refuse("image_pull", **asks("image_pull", other, verify=rules))["code"] == "image-rejected"


def test_an_image_that_no_rule_is_for_is_refused(host: Host, repository: Repository) -> None:
    push(repository)
    rules = [{"pattern": "ghcr.io", "policy": "accept"}]
    assert host.refuse("image_pull", **asks("image_pull", repository, verify=rules))["code"] == "signature-rule-missing"


@MODULES
def test_mistakes_in_rules_are_told_beside_all_others(module: str, host: Host, repository: Repository) -> None:
    rules = [{"pattern": "a b"}, {"pattern": "*", "keys": ["team.pub"]}]
    error = host.refuse(module, **asks(module, repository, verify=rules, platform="/"))
    told = [problem["path"] for problem in error["problems"]]
    assert told[-3:] == ["verify[0].pattern", "verify[0].keys", "verify[1].keys[0]"]
    assert "platform" in told


def test_a_key_that_is_not_on_the_host_is_told_by_its_path(host: Host, repository: Repository) -> None:
    push(repository)
    rules = [{"pattern": "*", "keys": ["/nowhere/team.pub"]}]
    error = host.refuse("image_pull", **asks("image_pull", repository, verify=rules))
    assert (error["code"], error["subject"]) == ("key-unreadable", "/nowhere/team.pub")


def test_a_lock_tells_who_signed_and_has_nothing_that_nobody_did(repository: Repository, tmp_path: Path) -> None:
    made = push(repository)
    path = tmp_path / "images.lock.json"
    rules = [{"pattern": "*", "keys": [OTHER.pem, TEAM.pem]}]
    params = {"images": [{"image": f"{repository}:1"}], "path": str(path), "verify": rules}
    assert run_module("image_lock", params).result["error"]["code"] == "signature-missing"
    assert not path.exists()
    sign(repository, made.digest)
    run_module("image_lock", params).succeed()
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["images"].values()
    assert entry["verified_by"] == [TEAM.fingerprint]


def test_a_lock_needs_each_platform_signed_where_the_index_is_not(repository: Repository, tmp_path: Path) -> None:
    made = push(repository)
    path = tmp_path / "images.lock.json"
    params = {"images": [{"image": f"{repository}:1"}], "path": str(path), "verify": SIGNED_BY_TEAM}
    sign(repository, made.images[0].digest)
    assert run_module("image_lock", params).result["error"]["code"] == "signature-missing"
    run_module("image_lock", {**params, "platforms": ["linux/amd64"]}).succeed()
    sign(repository, made.images[1].digest)
    assert run_module("image_lock", params).succeed()["changed"]


def test_what_was_verified_for_a_lock_is_not_asked_for_again(
    host: Host, repository: Repository, tmp_path: Path
) -> None:
    made = push(repository)
    path = tmp_path / "images.lock.json"
    wanted: dict[str, t.Any] = {"images": [{"image": f"{repository}:1"}]}
    run_module("image_lock", {**wanted, "path": str(path)}).succeed()
    unverified = json.loads(path.read_text(encoding="utf-8"))
    rules = {"verify": SIGNED_BY_TEAM}
    assert host.refuse("image_state", **wanted, lock=unverified, **rules)["code"] == "signature-missing"
    sign(repository, made.digest)
    run_module("image_lock", {**wanted, **rules, "path": str(path)}).succeed()
    lock = json.loads(path.read_text(encoding="utf-8"))
    tag = f"{made.digest.replace(':', '-')}.sig"
    before = repository.registry.log.read_text(encoding="utf-8").count(tag)
    host.settle("image_state", **wanted, lock=lock, **rules)
    assert repository.registry.log.read_text(encoding="utf-8").count(tag) == before


@pytest.mark.parametrize("suffix", [":1", "@{digest}", ":1@{digest}"])
def test_a_base_that_is_not_signed_is_not_built_on(host: Host, repository: Repository, suffix: str) -> None:
    made = push(repository)
    base = f"{repository}{suffix.format(digest=made.digest)}"
    build = {"dockerfile_inline": f"FROM {base}\nENV A=1\n"}
    params = {"images": [{"image": "localhost/built:1", "build": build}], "verify": SIGNED_BY_TEAM}
    error = host.refuse("image_state", **params)
    assert (error["code"], error["subject"]) == ("signature-missing", base)
    sign(repository, made.digest)
    assert host.announce("image_state", **params)["changed"] is True
    assert host.do("image_state", **params)["changed"] is True
    assert host.do("image_state", **params)["changed"] is False


@pytest.mark.parametrize("suffix", [":1", ":1@{digest}"])
def test_a_base_that_the_lock_does_not_name_is_checked(host: Host, repository: Repository, suffix: str) -> None:
    base = f"{repository}{suffix.format(digest=push(repository).digest)}"
    build = {"dockerfile_inline": f"FROM {base}\nENV A=1\n"}
    wanted = {"images": [{"image": "localhost/built:1", "build": build}], "lock_missing": "resolve"}
    error = host.refuse("image_state", **wanted, lock={"version": 1, "images": {}}, verify=SIGNED_BY_TEAM)
    assert (error["code"], error["subject"]) == ("signature-missing", base)


def test_the_rules_decide_about_a_base_as_about_an_image(host: Host, repository: Repository) -> None:
    push(repository)
    build = {"dockerfile_inline": f"FROM {repository}:1\nENV A=1\n"}
    wanted = [{"image": "localhost/built:1", "build": build}]
    rules = [{"pattern": "*", "policy": "accept"}, {"pattern": f"{repository}:1", "policy": "reject"}]
    assert host.refuse("image_state", images=wanted, verify=rules)["code"] == "image-rejected"
    assert host.do("image_state", images=wanted, verify=rules[:1])["changed"] is True


def test_a_base_that_the_same_task_pulls_is_asked_for_once(host: Host, repository: Repository) -> None:
    made = push(repository)
    sign(repository, made.digest)
    build = {"dockerfile_inline": f"FROM {repository}:1\nENV A=1\n"}
    wanted = [{"image": f"{repository}:1"}, {"image": "localhost/built:1", "build": build}]
    tag = made.digest.replace(":", "-") + ".sig"
    host.do("image_state", images=wanted, verify=SIGNED_BY_TEAM)
    log = repository.registry.log.read_text(encoding="utf-8")
    assert log.count(f'"GET /v2/{repository.path}/manifests/{tag} HTTP/1.1" 200') == 1


def policy_file(folder: Path, repository: Repository, *entries: t.Any) -> str:
    """Write a policy that rejects all but what ``entries`` say of one repository, and return its path."""
    path = folder / "policy.json"
    scopes = {"docker": {str(repository): list(entries)}}
    path.write_text(json.dumps({"default": [{"type": "reject"}], "transports": scopes}), encoding="utf-8")
    return str(path)


@MODULES
def test_a_policy_file_decides_as_rules_do(module: str, host: Host, repository: Repository, tmp_path: Path) -> None:
    made = push(repository)
    key = tmp_path / "team.pub"
    key.write_text(TEAM.pem, encoding="utf-8")
    signed = {"type": "sigstoreSigned", "keyPath": str(key)}
    file = policy_file(tmp_path, repository, {**signed, "signedIdentity": {"type": "matchRepository"}})
    asked = asks(module, repository, verify=None, policy_file=file)
    del asked["verify"]
    assert host.refuse(module, **asked)["code"] == "signature-missing"
    sign(repository, made.digest, OTHER)
    assert host.refuse(module, **asked)["code"] == "signature-invalid"
    sign(repository, made.digest)
    policy_file(tmp_path, repository, signed)
    assert host.refuse(module, **asked)["code"] == "signature-invalid", "without a tag it is not exact"
    policy_file(tmp_path, repository, {"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key)})
    assert host.refuse(module, **asked)["code"] == "policy-not-supported"
    policy_file(tmp_path, repository, {"type": "reject"})
    assert host.refuse(module, **asked)["code"] == "image-rejected"
    policy_file(tmp_path, repository, {**signed, "signedIdentity": {"type": "matchRepository"}})
    host.settle(module, **asked)


def test_a_lock_is_written_by_a_policy_file_and_names_all_keys(repository: Repository, tmp_path: Path) -> None:
    made = push(repository)
    signing.push_tagged(
        repository.registry,
        repository.path,
        made.digest,
        *(signing.signed(str(repository), made.digest, by) for by in (TEAM, OTHER)),
    )
    entries = []
    for name, by in (("team", TEAM), ("other", OTHER)):
        (tmp_path / name).write_text(by.pem, encoding="utf-8")
        entries.append({"type": "sigstoreSigned", "keyPath": str(tmp_path / name)})
        entries[-1] |= {"signedIdentity": {"type": "matchRepository"}}  # type: ignore[dict-item]
    params = {
        "images": [{"image": f"{repository}:1"}],
        "path": str(tmp_path / "images.lock.json"),
        "policy_file": policy_file(tmp_path, repository, *entries),
    }
    assert run_module("image_lock", params).succeed()["changed"] is True
    (entry,) = json.loads((tmp_path / "images.lock.json").read_text())["images"].values()
    assert entry["verified_by"] == sorted([TEAM.fingerprint, OTHER.fingerprint])


def test_rules_and_a_policy_file_together_and_a_relative_one_are_refused(host: Host, repository: Repository) -> None:
    for given in ({"policy_file": "/etc/policy.json"}, {"policy_file": "policy.json", "verify": []}):
        error = host.refuse("image_pull", **asks("image_pull", repository, **given))
        assert [problem["path"] for problem in error["problems"]] == ["policy_file"]


def test_content_trust_is_refused_by_its_name(host: Host, repository: Repository) -> None:
    push(repository)
    rules = [{"pattern": "*", "policy": "content_trust"}]
    error = host.refuse("image_pull", **asks("image_pull", repository, verify=rules))
    assert (error["class"], error["code"]) == ("UnsupportedError", "signature-not-checkable")
    assert "Docker Content Trust (Notary v1)" in error["why"]
