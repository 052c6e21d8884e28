# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys: which are read, and that what is wrong with one is told without showing it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.signatures.private_key import read_signing_key
from ansible_collections.fleet.images.tests.support import signing
from ansible_collections.fleet.images.tests.support.cosign_keys import cosign_key, pem_key
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat

if t.TYPE_CHECKING:
    from pathlib import Path

SECRET = "only-we-know-this"
KINDS = ("ecdsa", "ed25519", "rsa")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", ["", SECRET])
def test_a_key_signs_what_its_public_half_verifies(kind: str, passphrase: str, tmp_path: Path) -> None:
    signer = signing.signer(kind)
    path = tmp_path / "team.key"
    path.write_text(pem_key(signer, passphrase=passphrase))
    for source in ({"text": path.read_text(), "path": ""}, {"text": "", "path": str(path)}):
        key = read_signing_key(**source, passphrase=passphrase)
        assert key.public.fingerprint == signer.fingerprint
        assert key.public.has_signed(b"text", key.sign(b"text"))
        assert not key.public.has_signed(b"other", key.sign(b"text"))


@pytest.mark.parametrize("passphrase", ["", SECRET])
def test_the_older_form_of_openssl_is_read(passphrase: str) -> None:
    signer = signing.signer("ecdsa")
    text = pem_key(signer, passphrase=passphrase, form=PrivateFormat.TraditionalOpenSSL)
    assert text.startswith("-----BEGIN EC PRIVATE KEY-----")
    key = read_signing_key(text=text, path="", passphrase=passphrase)
    assert key.public.fingerprint == signer.fingerprint


@pytest.mark.parametrize("passphrase", ["", SECRET])
def test_keys_of_cosign_are_read_also_with_an_empty_passphrase(passphrase: str) -> None:
    signer = signing.signer("ecdsa")
    key = read_signing_key(text=cosign_key(signer, passphrase=passphrase), path="", passphrase=passphrase)
    assert key.public.fingerprint == signer.fingerprint


def test_a_passphrase_that_is_not_needed_does_no_harm() -> None:
    signer = signing.signer("ed25519")
    key = read_signing_key(text=pem_key(signer), path="", passphrase=SECRET)
    assert key.public.fingerprint == signer.fingerprint


def bad_keys() -> dict[str, tuple[str, str, str]]:
    """Return texts with passphrases that cannot be used, and the code of the error."""
    team = signing.signer()
    curve = team._replace(private=ec.generate_private_key(ec.SECP384R1()))
    short = team._replace(private=rsa.generate_private_key(65537, 1024))
    boxed, label = cosign_key(team, passphrase=SECRET), "ENCRYPTED SIGSTORE PRIVATE KEY"
    return {
        "public": (team.pem, "", "bad-private-key"),
        "other curve": (pem_key(curve), "", "bad-private-key"),
        "short": (pem_key(short), "", "bad-private-key"),
        "no key": ("some text", "", "bad-private-key"),
        "damaged": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "bad-private-key"),
        "encrypted, without": (pem_key(team, passphrase=SECRET), "", "passphrase-missing"),
        "encrypted, wrong": (pem_key(team, passphrase=SECRET), "wrong", "bad-passphrase"),
        "cosign, without": (boxed, "", "passphrase-missing"),
        "cosign, wrong": (boxed, "wrong", "bad-passphrase"),
        "cosign, empty": (f"-----BEGIN {label}-----\n-----END {label}-----\n", SECRET, "bad-private-key"),
        "cosign, other": (f"-----BEGIN {label}-----\ne30=\n-----END {label}-----\n", SECRET, "bad-private-key"),
    }


@pytest.mark.parametrize("case", sorted(bad_keys()))
def test_what_is_no_usable_private_key_is_refused_and_not_shown(case: str) -> None:
    text, passphrase, code = bad_keys()[case]
    with pytest.raises(InputError) as caught:
        read_signing_key(text=text, path="", passphrase=passphrase)
    assert caught.value.code == code
    told = f"{caught.value} {caught.value.to_json()}"
    assert not any(line in told for line in text.splitlines() if line and "-----" not in line and line != "some text")
    assert SECRET not in told


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_signing_key(text="", path=str(tmp_path / "team.key"), passphrase="")
    assert caught.value.code == "key-unreadable"
