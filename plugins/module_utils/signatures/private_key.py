# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys that images are signed with: PKCS 8 and SEC 1 in PEM, and the boxes of ``cosign generate-key-pair``."""

from __future__ import annotations

import os
import re
import typing as t

from ..model.errors import ImagesError, InputError, UnsupportedError
from ..model.fields import Fields
from .cosign_tag import decoded
from .keys import read_key

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .keys import PublicKey

_KEY_LIMIT = 64 * 1024
_COSIGN_KEY = re.compile(
    rb"-----BEGIN ENCRYPTED (?:COSIGN|SIGSTORE) PRIVATE KEY-----\s(.*?)-----END ENCRYPTED", re.DOTALL
)
_MOST_MEMORY = 1 << 30  # bytes that a key may want for the derivation of its key; cosign's want 64 MiB
_IN_TASK = "the private key in the task"


class SigningKey(t.NamedTuple):
    """A pair of keys. ``sign`` returns the signature over a message, as cosign makes it with such a key."""

    public: PublicKey
    sign: Callable[[bytes], bytes]


def read_signing_key(*, text: str, path: str, passphrase: str) -> SigningKey:
    """Return the key that ``text`` is, or that lies at ``path`` if there is no text.

    The passphrase opens an encrypted key, and plays no part for one that is not.

    Raises:
        InputError: key-unreadable; passphrase-missing, bad-passphrase; bad-private-key, it is no private key of a
            usable kind.
        UnsupportedError: cryptography-missing.
    """
    subject = _IN_TASK if text else path
    return _key_of(text.encode() if text else _read(path), passphrase=passphrase, subject=subject)


def _read(path: str) -> bytes:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read(_KEY_LIMIT)
    except OSError as error:
        raise InputError(
            f"The key {path} cannot be read",
            code="key-unreadable",
            why=error.strerror or type(error).__name__,
            fix="put the private key there, on the machine that the task runs on, or give its text",
            subject=path,
        ) from error


def _key_of(pem: bytes, *, passphrase: str, subject: str) -> SigningKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise UnsupportedError(
            "The Python library cryptography is not installed",
            code="cryptography-missing",
            why=str(error),
            fix="install python3-cryptography on the machine that the task runs on",
            subject=subject,
        ) from error
    boxed = _COSIGN_KEY.search(pem)
    is_encrypted = b"ENCRYPTED" in pem
    if is_encrypted and not passphrase and boxed is None:
        raise _no_passphrase(subject)
    try:
        if boxed is not None:
            opened = _opened(boxed[1], passphrase=passphrase, subject=subject)
            private = serialization.load_der_private_key(opened, password=None)
        else:
            password = passphrase.encode() if is_encrypted else None
            private = serialization.load_pem_private_key(pem.strip() + b"\n", password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if is_encrypted and boxed is None:
            raise _wrong_passphrase(subject) from error
        raise _bad_key(subject, "it is damaged, or of a form that is not known here") from error
    forms = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        public = read_key(private.public_key().public_bytes(*forms).decode())
    except InputError as error:
        raise _bad_key(subject, error.why) from error
    return SigningKey(public, _signer(private))


def _signer(private: t.Any) -> Callable[[bytes], bytes]:
    """Return what signs with a key of a kind that ``read_key`` takes.

    Source: cosign specs/SIGNATURE_SPEC.md; sigstore signature/signer.go: PKCS 1 v1.5 for RSA, SHA-256.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return lambda message: private.sign(message, ec.ECDSA(SHA256()))
    return lambda message: t.cast("bytes", private.sign(message, padding.PKCS1v15(), SHA256()))


def _opened(encoded: bytes, *, passphrase: str, subject: str) -> bytes:
    """Return the PKCS 8 bytes in a key of cosign.

    Source: securesystemslib (Go), encrypted/encrypted.go.
    """
    import hashlib

    from . import secretbox

    content = decoded(b"".join(encoded.split()).decode("ascii", "replace"))
    try:
        fields = Fields.of_bytes(content, what="private key")
        derivation, cipher = fields.object("kdf"), fields.object("cipher")
        if (derivation.text("name"), cipher.text("name")) != ("scrypt", "nacl/secretbox"):
            raise _bad_key(subject, "it is encrypted in a way that is not known here")
        costs = derivation.object("params")
        salt, nonce = decoded(derivation.text("salt")), decoded(cipher.text("nonce"))
        box = decoded(fields.text("ciphertext"))
        cost, block, lanes = (costs.size(name) for name in ("N", "r", "p"))
    except ImagesError as error:
        if isinstance(error, InputError):
            raise
        # The error's own evidence may have bytes of the key.
        raise _bad_key(subject, "its content is not as cosign writes it") from None
    if len(nonce) != secretbox.NONCE_SIZE:
        raise _bad_key(subject, "its content is not as cosign writes it")
    key = hashlib.scrypt(
        passphrase.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=_MOST_MEMORY, dklen=secretbox.KEY_SIZE
    )
    opened = secretbox.open_box(box, nonce=nonce, key=key)
    if opened is None:
        raise _wrong_passphrase(subject) if passphrase else _no_passphrase(subject)
    return opened


def _no_passphrase(subject: str) -> InputError:
    return InputError(
        f"{_capital(subject)} is encrypted",
        code="passphrase-missing",
        why="no passphrase was given",
        fix="give private_key_passphrase",
        subject=subject,
    )


def _wrong_passphrase(subject: str) -> InputError:
    return InputError(
        f"{_capital(subject)} cannot be decrypted",
        code="bad-passphrase",
        why="the passphrase is wrong, or the key is damaged",
        fix="check private_key_passphrase",
        subject=subject,
    )


def _bad_key(subject: str, why: str) -> InputError:
    return InputError(
        f"{_capital(subject)} is no private key that images can be signed with",
        code="bad-private-key",
        why=why,
        fix="give a private key in PEM, as openssl or cosign write it: ECDSA P-256, Ed25519, or RSA of 2048 bits",
        subject=subject,
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
