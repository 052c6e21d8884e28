# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which bundles count, where a registry lists what refers to an image and where a tag stands in for that list."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.signatures.rules import SignedName
from ansible_collections.fleet.images.tests.support import images, signing

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.fleet.images.tests.unit.signatures.stage import Stage

TEAM = signing.signer()
OTHER = signing.signer(name="other")
ELSEWHERE = "sha256:" + "5" * 64
PREDICATE = "dev.sigstore.bundle.predicateType"
CERTIFICATE = {"certificate": {"rawBytes": base64.b64encode(b"0").decode()}}


@pytest.fixture(params=["the registry lists", "a tag stands in"])
def place(request: pytest.FixtureRequest) -> Stage:
    """Return an image at a registry of either kind."""
    name = "listing_stage" if request.param == "the registry lists" else "stage"
    return t.cast("Stage", request.getfixturevalue(name))


def put(
    stage: Stage,
    *contents: bytes,
    on: images.MadeImage | images.MadeIndex | None = None,
    kind: str = signing.BUNDLE,
    annotations: Mapping[str, str] | None = None,
) -> None:
    """Let ``contents`` refer to the image, or to ``on``, and write the list that clients keep."""
    image = on or stage.image
    entries = [
        signing.push_referrer(stage.registry, stage.repository, image, content, kind=kind, annotations=annotations)
        for content in contents
    ]
    signing.push_list(stage.registry, stage.repository, image.digest, entries)


def good(stage: Stage, by: signing.Signer = TEAM) -> bytes:
    """Return a bundle that is right."""
    return signing.bundle(signing.statement(stage.digest), by)


@pytest.mark.parametrize("kind", signing.KINDS)
def test_a_bundle_of_every_kind_of_key_is_accepted_and_its_key_told(listing_stage: Stage, kind: str) -> None:
    maker = signing.signer(kind)
    put(listing_stage, good(listing_stage, maker))
    assert listing_stage.check(OTHER.pem, maker.pem) == (maker.fingerprint,)


def test_bundles_are_found_wherever_they_are_listed(place: Stage) -> None:
    put(place, good(place), annotations={PREDICATE: signing.SIGN})
    assert place.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_bundle_on_a_later_page_of_the_list_is_found(place: Stage) -> None:
    put(place, good(place, OTHER), b"no bundle", good(place))
    assert place.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_bundle_of_the_image_of_the_platform_will_do(place: Stage) -> None:
    put(place, signing.bundle(signing.statement(place.platform.digest), TEAM), on=place.platform)
    assert place.check(TEAM.pem) == (TEAM.fingerprint,)


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
def test_a_bundle_over_the_manifest_itself_is_accepted(place: Stage, kind: str) -> None:
    maker = signing.signer(kind)
    put(place, signing.message_bundle(place.image.manifest.data, maker))
    assert place.check(maker.pem) == (maker.fingerprint,)


def test_a_bundle_over_another_manifest_is_refused(place: Stage) -> None:
    put(place, signing.message_bundle(place.platform.manifest.data, TEAM))
    assert place.refusal(TEAM.pem)[0] == "signature-invalid"


def test_a_bundle_whose_hint_of_a_digest_is_wrong_is_refused(listing_stage: Stage) -> None:
    document = json.loads(signing.message_bundle(listing_stage.image.manifest.data, TEAM))
    document["messageSignature"]["messageDigest"]["digest"] = base64.b64encode(b"5" * 32).decode()
    put(listing_stage, json.dumps(document).encode())
    code, why = listing_stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert "messageDigest" in why


def test_a_bundle_by_another_key_is_refused(place: Stage) -> None:
    put(place, good(place, OTHER))
    code, why = place.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert "not made by any of the keys" in why


def test_a_right_bundle_over_another_digest_is_refused(place: Stage) -> None:
    put(place, signing.bundle(signing.statement(ELSEWHERE), TEAM))
    code, why = place.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert f"another digest, {ELSEWHERE}" in why


def test_a_statement_that_was_changed_after_signing_is_refused(listing_stage: Stage) -> None:
    document = json.loads(signing.bundle(signing.statement(ELSEWHERE), TEAM))
    document["dsseEnvelope"]["payload"] = base64.b64encode(signing.statement(listing_stage.digest)).decode()
    put(listing_stage, json.dumps(document).encode())
    assert "not made by any of the keys" in listing_stage.refusal(TEAM.pem)[1]


@pytest.mark.parametrize(
    ("name", "rule", "is_right"),
    [
        ("", SignedName("repository"), True),
        ("", SignedName("any"), True),
        ("", SignedName("exact"), False),
        ("", SignedName("below", "ghcr.io"), False),
        ("{name}", SignedName("repository"), True),
        ("ghcr.io/team/app", SignedName("repository"), False),
        ("ghcr.io/team/app", SignedName("below", "ghcr.io"), True),
        ("{name}:1", SignedName("exact"), True),
    ],
)
def test_the_name_in_a_statement_is_held_against_the_rule_if_there_is_one(
    listing_stage: Stage, name: str, rule: SignedName, is_right: bool
) -> None:
    stage = listing_stage
    put(stage, signing.bundle(signing.statement(stage.digest, name=name.format(name=stage.name)), TEAM))
    if is_right:
        assert stage.check(TEAM.pem, name=rule) == (TEAM.fingerprint,)
    else:
        assert stage.refusal(TEAM.pem, name=rule)[0] == "signature-invalid"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"mediaType": "application/vnd.dev.sigstore.bundle.v0.4+json"}, "bundle.v0.4+json"),
        ({"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}, "version=0.1"),
        ({"verificationMaterial": CERTIFICATE}, "keyless, by a certificate"),
        ({"verificationMaterial": {"x509CertificateChain": {"certificates": []}}}, "keyless, by a certificate"),
        ({"dsseEnvelope": None}, "without an envelope"),
        (
            {"dsseEnvelope": {"payload": "e30=", "payloadType": "text/x-new", "signatures": [{"sig": "e30="}]}},
            "an envelope of type text/x-new",
        ),
    ],
)
def test_a_bundle_that_cannot_be_checked_is_named_and_never_told_as_missing(
    place: Stage, members: dict[str, t.Any], told: str
) -> None:
    put(place, signing.bundle(signing.statement(place.digest), OTHER, **members))
    code, why = place.refusal(TEAM.pem)
    assert code == "signature-not-checkable"
    assert told in why


def test_the_signature_of_another_project_is_named_and_never_told_as_missing(place: Stage) -> None:
    put(place, b"{}", kind="application/vnd.cncf.notary.signature")
    code, why = place.refusal(TEAM.pem)
    assert code == "signature-not-checkable"
    assert "application/vnd.cncf.notary.signature" in why


@pytest.mark.parametrize("annotations", [{PREDICATE: "https://slsa.dev/provenance/v1"}, {}])
def test_an_attestation_is_no_signature_even_by_the_right_key(place: Stage, annotations: dict[str, str]) -> None:
    body = signing.statement(place.digest, predicate="https://slsa.dev/provenance/v1")
    put(place, signing.bundle(body, TEAM), annotations=annotations)
    assert place.refusal(TEAM.pem)[0] == "signature-missing"


def test_what_else_refers_to_an_image_is_no_signature(place: Stage) -> None:
    put(place, b"{}", kind="application/spdx+json")
    assert place.refusal(TEAM.pem)[0] == "signature-missing"


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://example.com/Statement/v9"},
        {"subject": []},
        {"subject": [{"digest": {"sha256": "5" * 64}}, {"digest": {"sha256": "6" * 64}}]},
        {"subject": [{"digest": {"sha256": "5"}}]},
        {"subject": [{"name": "nothing"}]},
    ],
)
def test_a_statement_that_does_not_say_what_is_signed_is_refused(
    listing_stage: Stage, change: dict[str, t.Any]
) -> None:
    put(listing_stage, signing.bundle(signing.statement(listing_stage.digest, **change), TEAM))
    assert listing_stage.refusal(TEAM.pem)[0] == "signature-invalid"


@pytest.mark.parametrize("member", [b'"_type"', b'"subject"', b'"predicateType"'])
def test_a_statement_with_a_member_that_is_there_twice_is_refused(listing_stage: Stage, member: bytes) -> None:
    body = signing.statement(listing_stage.digest).replace(member, member + b": 0, " + member, 1)
    put(listing_stage, signing.bundle(body, TEAM))
    code, why = listing_stage.refusal(TEAM.pem)
    assert code == "signature-invalid"
    assert "is there twice" in why


@pytest.mark.parametrize(
    "raw", [b"[]", b"{}", b"{", b'{"mediaType": "a", "mediaType": "b"}', b'{"mediaType": 7}', b"\xff"]
)
def test_what_is_no_bundle_is_damaged_and_not_missing(listing_stage: Stage, raw: bytes) -> None:
    put(listing_stage, raw)
    assert listing_stage.refusal(TEAM.pem)[0] == "signature-invalid"


def test_several_signatures_in_one_envelope_are_refused(listing_stage: Stage) -> None:
    document = json.loads(good(listing_stage))
    document["dsseEnvelope"]["signatures"] *= 2
    put(listing_stage, json.dumps(document).encode())
    assert listing_stage.refusal(TEAM.pem)[0] == "signature-invalid"


def test_a_list_entry_that_does_not_say_its_type_is_looked_into(stage: Stage) -> None:
    entry = signing.push_referrer(stage.registry, stage.repository, stage.image, good(stage))
    other = signing.push_referrer(stage.registry, stage.repository, stage.image, b"{}", kind="application/spdx+json")
    rows = [{key: row[key] for key in ("mediaType", "digest", "size")} for row in (other, entry)]
    signing.push_list(stage.registry, stage.repository, stage.digest, rows)
    assert stage.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_list_entry_that_is_not_there_does_no_harm(stage: Stage) -> None:
    entry = signing.push_referrer(stage.registry, stage.repository, stage.image, good(stage))
    gone = signing.push_referrer(stage.registry, stage.repository, stage.image, good(stage, OTHER))
    signing.push_list(stage.registry, stage.repository, stage.digest, [gone, entry])
    images.delete(stage.registry, stage.repository, gone["digest"])
    assert stage.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_list_that_is_no_list_is_damaged_and_not_missing(stage: Stage) -> None:
    tag = stage.digest.replace(":", "-")
    images.push_manifest(stage.registry, stage.repository, stage.platform.manifest, tag=tag)
    assert stage.refusal(TEAM.pem)[0] == "signature-invalid"


def test_the_older_form_that_refers_to_its_image_is_read_too(place: Stage) -> None:
    payload = signing.payload(place.name, place.digest)
    blob = images.Blob(signing.SIMPLE_SIGNING, payload)
    note = {"dev.cosignproject.cosign/signature": base64.b64encode(TEAM.sign(payload)).decode()}
    images.push_blob(place.registry, place.repository, blob)
    images.push_blob(place.registry, place.repository, signing.EMPTY)
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    document = {
        "schemaVersion": 2,
        "mediaType": images.OCI_MANIFEST,
        "artifactType": kind,
        "config": signing.EMPTY.descriptor,
        "layers": [{**blob.descriptor, "annotations": note}],
        "subject": place.image.manifest.descriptor,
    }
    manifest = images.Blob(images.OCI_MANIFEST, json.dumps(document).encode())
    images.push_manifest(place.registry, place.repository, manifest)
    signing.push_list(place.registry, place.repository, place.digest, [{**manifest.descriptor, "artifactType": kind}])
    assert place.check(TEAM.pem) == (TEAM.fingerprint,)


def test_a_good_bundle_makes_up_for_a_bad_signature_under_the_tag(place: Stage) -> None:
    signing.push_tagged(place.registry, place.repository, place.digest, signing.signed(place.name, ELSEWHERE, TEAM))
    put(place, good(place))
    assert place.check(TEAM.pem) == (TEAM.fingerprint,)
