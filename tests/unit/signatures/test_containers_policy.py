# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy files of containers: which entries decide, which name they ask for, and what is refused as a whole."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError, UnsupportedError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.signatures.containers_policy import (
    ContainersPolicy,
    PolicyName,
    read_policy,
)
from ansible_collections.fleet.images.plugins.module_utils.signatures.rules import Rule
from ansible_collections.fleet.images.tests.support import signing

if t.TYPE_CHECKING:
    from pathlib import Path

ACCEPT = {"type": "insecureAcceptAnything"}
REJECT = {"type": "reject"}
SIGNED = {"type": "sigstoreSigned", "keyPath": "/etc/keys/team.pub"}
DIGEST = "sha256:" + "a" * 64


def policy(folder: Path, document: object) -> ContainersPolicy:
    """Return what a file with ``document``, JSON or text, says."""
    path = folder / "policy.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return read_policy(str(path))


def scoped(folder: Path, **scopes: t.Any) -> ContainersPolicy:
    """Return a policy that rejects all but what ``scopes`` of the transport docker say."""
    return policy(folder, {"default": [REJECT], "transports": {"docker": scopes, "oci": {"/any": [ACCEPT]}}})


@pytest.mark.parametrize(
    ("image", "scope"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1", "docker.io/library/busybox"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        ("alpine", "docker.io/library"),
        ("team/app", "docker.io"),
        ("a.example.com/app:1", "*.example.com"),
        ("a.example.com:5000/app:1", "*.example.com"),
        ("a.b.example.com/app:1", "*.b.example.com"),
        ("b.example.com/x/app", "b.example.com/x"),
        ("b.example.com/xx/app", "*.example.com"),
        ("example.com/app", "*.com"),
        ("quay.io/app", ""),
    ],
)
def test_the_most_exact_scope_decides(image: str, scope: str, tmp_path: Path) -> None:
    scopes = [
        "docker.io/library/busybox:latest",
        "docker.io/library/busybox",
        f"docker.io/library/busybox@{DIGEST}",
        "docker.io/library",
        "docker.io",
        "*.example.com",
        "*.b.example.com",
        "b.example.com/x",
        "*.com",
        "",
    ]
    rules = {each: [{**SIGNED, "keyPath": f"/keys/{at}"}] for at, each in enumerate(scopes)}
    (rule,) = scoped(tmp_path, **rules).rules_for(parse_reference(image))
    assert rule.keys == (f"/keys/{scopes.index(scope)}",)


def test_without_a_scope_the_default_decides(tmp_path: Path) -> None:
    image = parse_reference("redis")
    assert scoped(tmp_path).rules_for(image) == (Rule("default", "reject"),)
    assert policy(tmp_path, {"default": [ACCEPT]}).rules_for(image) == (Rule("default", "accept"),)


def test_all_entries_of_a_scope_are_asked_for(tmp_path: Path) -> None:
    key = signing.signer().pem
    data = base64.b64encode(key.encode()).decode()
    identity = {"type": "matchRepository"}
    entries = [SIGNED, {"type": "sigstoreSigned", "keyDatas": [data, data], "signedIdentity": identity}, ACCEPT]
    assert scoped(tmp_path, quay=entries, **{"docker.io": entries}).rules_for(parse_reference("redis")) == (
        Rule("docker.io", "signed", ("/etc/keys/team.pub",), PolicyName("matchRepoDigestOrExact")),
        Rule("docker.io", "signed", (key, key), PolicyName("matchRepository")),
        Rule("docker.io", "accept"),
    )


UNCHECKED = {
    "signedBy": {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/keys/gpg"},
    "fulcio": {"type": "sigstoreSigned", "fulcio": {"caPath": "/ca", "oidcIssuer": "x"}},
    "rekorPublicKeyPath": {**SIGNED, "rekorPublicKeyPath": "/rekor.pub"},
    "signedBaseLayer": {"type": "signedBaseLayer", "baseLayerIdentity": {}},
}


@pytest.mark.parametrize("named", UNCHECKED)
def test_what_cannot_be_checked_is_refused_for_the_images_that_need_it(named: str, tmp_path: Path) -> None:
    found = scoped(tmp_path, **{"quay.io": [ACCEPT, UNCHECKED[named]], "docker.io": [ACCEPT]})
    assert found.rules_for(parse_reference("redis"))
    with pytest.raises(UnsupportedError) as caught:
        found.rules_for(parse_reference("quay.io/team/app"))
    assert caught.value.code == "policy-not-supported"
    assert named in caught.value.why
    assert "transports.docker['quay.io']" in caught.value.why


BAD: dict[str, tuple[object, str]] = {
    "no JSON": ("{", "Expecting"),
    "a list": ([], "the top level"),
    "no default": ({"transports": {}}, "default"),
    "an empty default": ({"default": []}, "default is empty"),
    "an unknown member": ({"default": [ACCEPT], "extra": 1}, "extra is not known"),
    "a member twice": ('{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}', "twice"),
    "an unknown type": ({"default": [{"type": "acceptAnything"}]}, "'acceptAnything', which is not known"),
    "an unknown member of an entry": ({"default": [{**ACCEPT, "keyPath": "/a"}]}, "default[0].keyPath is not known"),
    "no key": ({"default": [{"type": "sigstoreSigned"}]}, "exactly one of keyPath"),
    "two keys": ({"default": [{**SIGNED, "keyData": "YQ=="}]}, "exactly one of keyPath"),
    "an empty list of keys": ({"default": [{"type": "sigstoreSigned", "keyPaths": []}]}, "keyPaths is empty"),
    "a relative key": ({"default": [{**SIGNED, "keyPath": "team.pub"}]}, "does not start with /"),
    "data that is no key": ({"default": [{"type": "sigstoreSigned", "keyData": "YQ=="}]}, "not base64 of a key"),
    "an unknown identity": ({"default": [{**SIGNED, "signedIdentity": {"type": "any"}}]}, "'any', which is not known"),
    "an identity with more": (
        {"default": [{**SIGNED, "signedIdentity": {"type": "matchExact", "prefix": "a"}}]},
        "signedIdentity.prefix is not known",
    ),
    "an identity with less": ({"default": [{**SIGNED, "signedIdentity": {"type": "exactReference"}}]}, "missing"),
    "a repository with a tag": (
        {"default": [{**SIGNED, "signedIdentity": {"type": "exactRepository", "dockerRepository": "a/b:1"}}]},
        "must not have a tag",
    ),
    "a reference without a tag": (
        {"default": [{**SIGNED, "signedIdentity": {"type": "exactReference", "dockerReference": "a/b"}}]},
        "must have a tag",
    ),
    "a bad scope": ({"default": [ACCEPT], "transports": {"docker": {"docker.io": []}}}, "docker.io is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_policy_that_is_half_understood_is_refused_as_a_whole(case: str, tmp_path: Path) -> None:
    document, told = BAD[case]
    with pytest.raises(InputError) as caught:
        policy(tmp_path, document)
    assert caught.value.code == "policy-invalid"
    assert told in caught.value.why
    assert caught.value.subject == str(tmp_path / "policy.json")


def test_a_policy_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(str(tmp_path / "policy.json"))
    assert caught.value.code == "policy-unreadable"


REMAP = PolicyName.of("remapIdentity", ["mirror.example.com/hub", "docker.io"])


@pytest.mark.parametrize(
    ("name", "image", "signed", "fits"),
    [
        (PolicyName("matchExact"), "redis:7", "docker.io/library/redis:7", True),
        (PolicyName("matchExact"), "redis:7", "redis:7", True),
        (PolicyName("matchExact"), "redis:7", "docker.io/library/redis:8", False),
        (PolicyName("matchExact"), "redis:7", "docker.io/library/redis", False),
        (PolicyName("matchExact"), f"redis@{DIGEST}", "redis:7", False),
        (PolicyName("matchExact"), f"redis@{DIGEST}", f"redis@{DIGEST}", True),
        (PolicyName("matchRepoDigestOrExact"), "redis:7", "redis:7", True),
        (PolicyName("matchRepoDigestOrExact"), "redis:7", "redis", False),
        (PolicyName("matchRepoDigestOrExact"), f"redis:7@{DIGEST}", "redis:8", True),
        (PolicyName("matchRepoDigestOrExact"), f"redis@{DIGEST}", "redis", True),
        (PolicyName("matchRepoDigestOrExact"), f"redis@{DIGEST}", "team/redis", False),
        (PolicyName("matchRepository"), "redis:7", "redis:6", True),
        (PolicyName("matchRepository"), "redis:7", "quay.io/library/redis:7", False),
        (PolicyName("matchRepository"), "redis:7", "", False),
        (PolicyName("matchRepository"), "redis:7", "Not A Name", False),
        (PolicyName.of("exactReference", ["quay.io/a/b:1"]), "redis:7", "quay.io/a/b:1", True),
        (PolicyName.of("exactReference", ["quay.io/a/b:1"]), "redis:7", "quay.io/a/b:2", False),
        (PolicyName.of("exactRepository", ["quay.io/a/b"]), "redis:7", "quay.io/a/b:2", True),
        (PolicyName.of("exactRepository", ["quay.io/a/b"]), "redis:7", "redis:7", False),
        (REMAP, "mirror.example.com/hub/library/redis:7", "redis:7", True),
        (REMAP, "mirror.example.com/hub/library/redis:7", "redis:8", False),
        (REMAP, f"mirror.example.com/hub/library/redis@{DIGEST}", "redis:8", True),
        (REMAP, "mirror.example.com/hubs/library/redis:7", "redis:7", False),
        (REMAP, "quay.io/a/b:7", "quay.io/a/b:7", True),
    ],
)
def test_a_signature_serves_the_images_that_its_name_is_for(
    name: PolicyName, image: str, signed: str, fits: bool
) -> None:
    assert (name.refusal(signed, image=parse_reference(image)) == "") is fits
