# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken for a public key, and how it is named."""

from __future__ import annotations

import subprocess
import sys
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.signatures.keys import read_key
from ansible_collections.fleet.images.tests.support import signing
from ansible_collections.fleet.images.tests.support.programs import require, run
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if t.TYPE_CHECKING:
    from pathlib import Path

PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


@pytest.mark.parametrize("kind", signing.KINDS)
def test_keys_are_read_from_their_text_or_from_a_file(kind: str, tmp_path: Path) -> None:
    maker = signing.signer(kind)
    path = tmp_path / "team.pub"
    path.write_text(f"\n{maker.pem}\n", encoding="utf-8")
    for source in (maker.pem, maker.pem.strip(), str(path)):
        key = read_key(source)
        assert key.fingerprint == maker.fingerprint
        assert key.has_signed(b"text", maker.sign(b"text"))
        assert not key.has_signed(b"texts", maker.sign(b"text"))
        assert not key.has_signed(b"text", b"")


def test_the_fingerprint_is_what_openssl_makes_of_the_key() -> None:
    require("openssl")
    maker = signing.signer()
    der = run(["openssl", "pkey", "-pubin", "-outform", "DER"], input_bytes=maker.pem.encode())
    text = run(["base64"], input_bytes=run(["openssl", "dgst", "-sha256", "-binary"], input_bytes=der)).decode()
    assert read_key(maker.pem).fingerprint == "SHA256:" + text.strip().rstrip("=")


def test_a_key_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_key(str(tmp_path / "none.pub"))
    assert caught.value.code == "key-unreadable"
    assert "No such file" in caught.value.why


def bad_keys() -> dict[str, str]:
    """Return what is no key that is used here."""
    private = signing.signer().private.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "private": private.decode(),
        "encrypted": "-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED COSIGN PRIVATE KEY-----\n",
        "broken": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "other curve": ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(PEM, SPKI).decode(),
        "short": rsa.generate_private_key(65537, 1024).public_key().public_bytes(PEM, SPKI).decode(),
    }


@pytest.mark.parametrize("kind", sorted(bad_keys()))
def test_what_is_no_usable_public_key_is_refused_and_not_shown(kind: str) -> None:
    text = bad_keys()[kind]
    with pytest.raises(InputError) as caught:
        read_key(text)
    assert caught.value.code == "bad-key"
    assert not any(line in str(caught.value) for line in text.splitlines() if line and "-----" not in line)


def test_without_the_library_the_error_says_what_to_install() -> None:
    """In a Python that has no cryptography: one that hides it."""
    script = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from ansible_collections.fleet.images.plugins.module_utils.model.errors import UnsupportedError\n"
        "from ansible_collections.fleet.images.plugins.module_utils.signatures.keys import read_key\n"
        "try:\n    read_key(sys.stdin.read())\nexcept UnsupportedError as error:\n    print(error.code, error.fix)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=signing.signer().pem,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert done.stdout.startswith("cryptography-missing install python3-cryptography")


#: How openssl makes a key of each kind, and how it signs with it.
OPENSSL = {
    "ecdsa": (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-digest", "sha256"]),
    "ed25519": (["-algorithm", "ED25519"], []),
    "rsa": (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["-digest", "sha256"]),
    "rsa-pss": (
        ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        ["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:max"],
    ),
    "rsa-pss-digest": (
        ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        ["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"],
    ),
}


@pytest.mark.parametrize("kind", OPENSSL)
def test_what_openssl_signs_is_accepted(kind: str, tmp_path: Path) -> None:
    require("openssl")
    makes, signs = OPENSSL[kind]
    private, message = tmp_path / "key.pem", tmp_path / "message"
    message.write_bytes(b"text")
    run(["openssl", "genpkey", *makes, "-out", private])
    key = read_key(run(["openssl", "pkey", "-in", private, "-pubout"]).decode())
    signature = run(["openssl", "pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", message, *signs])
    assert key.has_signed(b"text", signature)
    assert not key.has_signed(b"texts", signature)
