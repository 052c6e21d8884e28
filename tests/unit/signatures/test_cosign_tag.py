# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which signatures under a tag count, and why others do not."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.signatures.rules import Rule, SignedName
from ansible_collections.fleet.images.tests.support import images, signing

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.unit.signatures.stage import Stage

TEAM = signing.signer()
OTHER = signing.signer(name="other")
ELSEWHERE = "sha256:" + "5" * 64


def put(stage: Stage, *layers: signing.Layer, digest: str = "") -> None:
    """Put signatures beside the image, those of its index unless ``digest`` says of which manifest."""
    signing.push_tagged(stage.registry, stage.repository, digest or stage.digest, *layers)


def good(stage: Stage) -> signing.Layer:
    """Return a signature that is right."""
    return signing.signed(stage.name, stage.digest, TEAM)


def of_message(message: bytes) -> signing.Layer:
    """Return the team's signature over any bytes."""
    return signing.Layer(message, TEAM.sign(message))


@pytest.mark.parametrize("kind", signing.KINDS)
def test_a_signature_of_every_kind_of_key_is_accepted_and_its_key_told(stage: Stage, kind: str) -> None:
    maker = signing.signer(kind)
    put(stage, signing.signed(stage.name, stage.digest, maker))
    assert stage.check(OTHER.pem, maker.pem) == (maker.fingerprint,)


@pytest.mark.parametrize("kind", signing.KINDS)
def test_a_signature_of_another_key_of_the_same_kind_is_refused(stage: Stage, kind: str) -> None:
    put(stage, signing.signed(stage.name, stage.digest, signing.signer(kind)))
    code, why = stage.refusal(signing.signer(kind, "other").pem)
    assert code == "signature-invalid"
    assert "not made by any of the keys" in why


def test_an_image_without_signatures_is_not_signed(stage: Stage) -> None:
    assert stage.refusal(TEAM.pem)[0] == "signature-missing"


def test_a_signature_over_the_image_of_the_platform_will_do(stage: Stage) -> None:
    child = stage.platform.digest
    put(stage, signing.signed(stage.name, child, TEAM), digest=child)
    assert stage.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_signature_over_the_image_of_another_platform_will_not_do(stage: Stage) -> None:
    assert isinstance(stage.image, images.MadeIndex)
    sibling = stage.image.images[0].digest
    put(stage, signing.signed(stage.name, sibling, TEAM), digest=sibling)
    assert stage.refusal(TEAM.pem)[0] == "signature-missing"


def test_a_right_signature_over_another_digest_is_refused(stage: Stage) -> None:
    put(stage, signing.signed(stage.name, ELSEWHERE, TEAM))
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert f"another digest, {ELSEWHERE}" in why


def test_a_right_signature_for_another_repository_is_refused(stage: Stage) -> None:
    put(stage, signing.signed(f"{stage.registry.host}/other/app", stage.digest, TEAM))
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert "another name" in why


def test_a_bad_signature_before_a_good_one_does_no_harm(stage: Stage) -> None:
    put(stage, signing.Layer(signing.payload(stage.name, stage.digest), b"no signature"), good(stage))
    assert stage.check(TEAM.pem) == (TEAM.fingerprint,)


def test_what_is_no_signature_before_a_good_one_does_no_harm(stage: Stage) -> None:
    strangers = [
        signing.Layer(b"layer", b"x", media_type="application/octet-stream"),
        signing.Layer(b"{}", b"x", {"dev.cosignproject.cosign/signature": "not base64!"}),
        signing.Layer(b"\x00", TEAM.sign(b"\x00")),
    ]
    put(stage, *strangers, good(stage))
    assert stage.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_payload_that_was_changed_after_signing_is_refused(stage: Stage) -> None:
    signed = signing.signed(stage.name, ELSEWHERE, TEAM)
    put(stage, signed._replace(payload=signed.payload.replace(ELSEWHERE.encode(), stage.digest.encode())))
    assert "not made by any of the keys" in stage.refusal(TEAM.pem)[1]


def test_a_signature_whose_payload_is_not_there_is_damaged_and_not_missing(stage: Stage) -> None:
    layer = images.Blob(signing.SIMPLE_SIGNING, signing.payload(stage.name, stage.digest))
    put(stage, good(stage))
    stored = stage.registry.data / "docker/registry/v2/repositories" / stage.repository / "_layers/sha256"
    (stored / layer.digest.partition(":")[2] / "link").unlink()
    assert stage.refusal(TEAM.pem)[0] == "signature-invalid"


def test_both_keys_are_told_when_both_have_signed(stage: Stage) -> None:
    put(stage, good(stage), signing.signed(stage.name, stage.digest, OTHER))
    assert stage.check(TEAM.pem, OTHER.pem) == tuple(sorted([TEAM.fingerprint, OTHER.fingerprint]))


def test_a_signature_by_a_certificate_is_not_told_as_missing_or_wrong(stage: Stage) -> None:
    note = {"dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----"}
    put(stage, signing.signed(stage.name, stage.digest, OTHER)._replace(annotations=note))
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-not-checkable"
    assert "certificate" in why


def twice(raw: bytes, member: str) -> bytes:
    """Return JSON in which ``member`` is there a second time, with the same value."""
    row = next(part for part in (f'"{member}":"', f'"{member}":{{', f'"{member}":null') if part.encode() in raw)
    value = row + ("" if row.endswith("null") else "x" if row.endswith('"') else "")
    start = raw.index(row.encode())
    copy = {"null": value, '"': value + '"', "{": f'"{member}":{{}}'}[row[-4:] if row.endswith("null") else row[-1]]
    return raw[:start] + copy.encode() + b"," + raw[start:]


@pytest.mark.parametrize(
    "member", ["critical", "optional", "identity", "docker-reference", "image", "docker-manifest-digest", "type"]
)
def test_a_payload_with_a_member_that_is_there_twice_is_refused(stage: Stage, member: str) -> None:
    put(stage, of_message(twice(signing.payload(stage.name, stage.digest), member)))
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert f"{member} is there twice" in why


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "atomic container signature"}, "type"),
        ({"type": 7}, "type"),
        ({"identity": {}}, "docker-reference"),
        ({"identity": {"docker-reference": ""}}, "docker-reference"),
        ({"identity": {"docker-reference": "a", "more": 1}}, "more"),
        ({"image": {}}, "docker-manifest-digest"),
        ({"image": {"docker-manifest-digest": "sha256:1"}}, "docker-manifest-digest"),
        ({"image": None}, "image"),
        ({"more": 1}, "more"),
    ],
)
def test_a_payload_with_wrong_members_is_refused(stage: Stage, change: dict[str, t.Any], told: str) -> None:
    put(stage, of_message(signing.payload(stage.name, stage.digest, **change)))
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert told in why


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b"\xff", b'{"critical":{}}', b"[" * 100_000, b'{"critical":{},"optional":[]}']
)
def test_what_is_no_payload_is_refused_although_it_is_signed(stage: Stage, raw: bytes) -> None:
    put(stage, of_message(raw or b" "))
    assert stage.refusal(TEAM.pem)[0] == "signature-invalid"


def test_what_lies_under_the_tag_and_is_no_manifest_of_signatures_is_told(stage: Stage) -> None:
    tag = stage.digest.replace(":", "-") + ".sig"
    images.push_manifest(stage.registry, stage.repository, stage.image.manifest, tag=tag)
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert tag in why


def test_only_so_many_signatures_are_looked_at(stage: Stage) -> None:
    bad = signing.Layer(b"x", b"x", media_type="application/octet-stream")
    put(stage, *[bad] * 100, good(stage))
    code, why = stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert "only the first 100 of 101" in why


NAMES = [
    (SignedName("repository"), "{name}", True),
    (SignedName("repository"), "{name}:2", True),
    (SignedName("repository"), "{name}x", False),
    (SignedName("exact"), "{name}:1", True),
    (SignedName("exact"), "{name}:2", False),
    (SignedName("exact"), "{name}", False),
    (SignedName("exact"), "{name}x:1", False),
    (SignedName("any"), "ghcr.io/else/where:9", True),
    (SignedName("below", "ghcr.io/team"), "ghcr.io/team/app", True),
    (SignedName("below", "ghcr.io/team"), "ghcr.io/team", True),
    (SignedName("below", "ghcr.io/team"), "ghcr.io/teams/app", False),
    (SignedName("below", "ghcr.io"), "ghcr.io/any/app:1", True),
    (SignedName("below", "docker.io/library"), "redis", True),
    (SignedName("repository"), "Not A Name", False),
]


@pytest.mark.parametrize(("rule", "signed_as", "is_right"), NAMES)
def test_the_name_in_the_signature_is_held_against_the_rule(
    stage: Stage, rule: SignedName, signed_as: str, is_right: bool
) -> None:
    put(stage, signing.signed(signed_as.format(name=stage.name), stage.digest, TEAM))
    if is_right:
        assert stage.check(TEAM.pem, name=rule) == (TEAM.fingerprint,)
    else:
        assert stage.refusal(TEAM.pem, name=rule)[0] == "signature-invalid"


def test_an_image_that_is_accepted_without_signatures_has_no_signers(stage: Stage) -> None:
    assert stage.judge([Rule("*", "accept")]) == ()


def test_an_image_that_a_rule_rejects_is_refused_however_well_it_is_signed(stage: Stage) -> None:
    put(stage, good(stage))
    with pytest.raises(InputError) as caught:
        stage.judge([Rule("*", "signed", (TEAM.pem,)), Rule(stage.name, "reject")])
    assert caught.value.code == "image-rejected"


def test_an_image_that_no_rule_matches_is_refused(stage: Stage) -> None:
    with pytest.raises(InputError) as caught:
        stage.judge([Rule("ghcr.io", "accept")])
    assert caught.value.code == "signature-rule-missing"
