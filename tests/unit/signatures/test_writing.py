# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures written while others write theirs: what a signer who looks at nothing replaces comes back."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, UnsupportedError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.signatures.private_key import read_signing_key
from ansible_collections.fleet.images.plugins.module_utils.signatures.writing import (
    Shelf,
    payload_of,
    put_signatures,
)
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support import signing
from ansible_collections.fleet.images.tests.support.cosign_keys import pem_key
from ansible_collections.fleet.images.tests.unit.signatures.stage import Stage
from ansible_collections.fleet.images.tests.unit.wire.odd_server import client_for

TEAM, OTHER = signing.signer(), signing.signer(name="other")
KEY = read_signing_key(text=pem_key(TEAM), path="", passphrase="")


def shelf_of(stage: Stage, digest: str = "") -> Shelf:
    """Return where the signatures of the image on ``stage`` are."""
    store = RegistryStore(client_for(stage.registry.host, settings=RegistrySettings(retry=0)), stage.repository)
    image = Reference(stage.registry.host, stage.repository, "1")
    return Shelf.of(image, Digest.parse(digest or stage.digest), repository=store)


def overwrite(stage: Stage, *names: str) -> None:
    """Do as a signer who read the tag before ours was there: put theirs in its place."""
    layers = [signing.signed(name, stage.digest, OTHER) for name in names]
    signing.push_tagged(stage.registry, stage.repository, stage.digest, *layers)


def test_a_signature_that_another_signer_replaced_is_put_back_beside_theirs(stage: Stage) -> None:
    waits: list[int] = []

    def wait() -> None:
        waits.append(1)
        if len(waits) == 1:
            overwrite(stage, stage.name)

    payload = payload_of(Digest.parse(stage.digest), stage.name)
    put_signatures(shelf_of(stage), [payload], key=KEY, wait=wait)
    assert len(waits) == 2
    assert len(shelf_of(stage).layers()) == 2
    assert stage.check(TEAM.pem) == (TEAM.fingerprint,)
    assert stage.check(OTHER.pem) == (OTHER.fingerprint,)


def test_what_was_there_once_is_put_back_too(stage: Stage) -> None:
    overwrite(stage, stage.name, f"{stage.name}:1")
    waits: list[int] = []

    def wait() -> None:
        waits.append(1)
        if len(waits) == 1:
            overwrite(stage, f"{stage.name}:2")

    put_signatures(shelf_of(stage), [b"payload"], key=KEY, wait=wait)
    assert len(shelf_of(stage).layers()) == 4


def test_who_never_comes_to_rest_is_told(stage: Stage) -> None:
    with pytest.raises(ConflictError) as caught:
        put_signatures(shelf_of(stage), [b"payload"], key=KEY, wait=lambda: overwrite(stage, stage.name))
    assert caught.value.code == "signatures-contended"


def test_more_signatures_than_are_looked_at_are_refused(stage: Stage) -> None:
    overwrite(stage, *[f"{stage.name}:{number}" for number in range(100)])
    with pytest.raises(ConflictError) as caught:
        put_signatures(shelf_of(stage), [b"payload"], key=KEY, wait=lambda: None)
    assert caught.value.code == "signatures-too-many"
    assert len(shelf_of(stage).layers()) == 100


def test_a_digest_that_fits_into_no_tag_is_refused(stage: Stage) -> None:
    with pytest.raises(UnsupportedError) as caught:
        shelf_of(stage, "sha512:" + "a" * 128)
    assert caught.value.code == "digest-not-signable"
