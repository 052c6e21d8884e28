# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys, and whether one of them made a signature: the only place that knows ``cryptography``."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ..model.errors import InputError, UnsupportedError

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[bytes, bytes], None]

_PEM = "-----BEGIN"
_LEAST_RSA_BITS = 2048
_KEY_LIMIT = 64 * 1024


class PublicKey(t.NamedTuple):
    """A key that signatures are checked with. ``fingerprint`` is ``SHA256:`` and base64 of the key's DER form."""

    fingerprint: str
    has_signed: Callable[[bytes, bytes], bool]
    """Tells whether the second argument is the key's signature over the first."""


def is_pem(text: str) -> bool:
    """Tell whether ``text`` is a key itself, not the path of one."""
    return _PEM in text


def read_key(source: str) -> PublicKey:
    """Return the public key that ``source`` is, or that lies there.

    Raises:
        InputError: key-unreadable, there is no such file; bad-key, it is no public key of a usable kind.
        UnsupportedError: cryptography-missing.
    """
    subject = "the key in the task" if is_pem(source) else source
    return _key_of(source.encode() if is_pem(source) else _read(source), subject=subject)


def _read(path: str) -> bytes:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read(_KEY_LIMIT)
    except OSError as error:
        raise InputError(
            f"The key {path} cannot be read",
            code="key-unreadable",
            why=error.strerror or type(error).__name__,
            fix="put the public key there, on the machine that the task runs on, or give its text",
            subject=path,
        ) from error


def _key_of(pem: bytes, *, subject: str) -> PublicKey:
    if b"PRIVATE KEY-----" in pem:
        raise _bad_key(subject, "it is a private key")
    serialization = _serialization()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = serialization.load_pem_public_key(pem.strip() + b"\n")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _bad_key(subject, f"{error}"[:200] or type(error).__name__) from error
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(fingerprint(encoded), _has_signed(_check_of(key, subject=subject)))


def fingerprint(der: bytes) -> str:
    """Return how a key is named: ``SHA256:`` and base64, without its padding, of the hash of its DER form."""
    import base64

    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


def _check_of(key: t.Any, *, subject: str) -> Check:
    """Return what raises InvalidSignature unless ``key`` made a signature.

    Source: cosign SIGNATURE_SPEC.md; SHA-256 with all kinds of keys that hash.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PublicKey):
        return lambda message, signature: key.verify(signature, message)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return _check_of_ecdsa(key)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return _check_of_rsa(key)
    raise _bad_key(subject, f"it is of a kind that is not used here ({_kind(key)})")


def _check_of_ecdsa(key: t.Any) -> Check:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    return lambda message, signature: key.verify(signature, message, ec.ECDSA(SHA256()))


def _check_of_rsa(key: t.Any) -> Check:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    # Signers of PSS take the longest salt or one of the hash's length; old releases of the library do not find out.
    mask = padding.MGF1(SHA256())
    kinds = (padding.PKCS1v15(), padding.PSS(mask, padding.PSS.MAX_LENGTH), padding.PSS(mask, SHA256.digest_size))

    def check(message: bytes, signature: bytes) -> None:
        for kind in kinds[:-1]:
            try:
                return key.verify(signature, message, kind, SHA256())  # type: ignore[no-any-return]
            except InvalidSignature:
                continue
        return key.verify(signature, message, kinds[-1], SHA256())  # type: ignore[no-any-return]

    return check


def _has_signed(check: Check) -> Callable[[bytes, bytes], bool]:
    from cryptography.exceptions import InvalidSignature

    def has_signed(message: bytes, signature: bytes) -> bool:
        try:
            check(message, signature)
        except InvalidSignature:
            return False
        return True

    return has_signed


def _serialization() -> t.Any:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise UnsupportedError(
            "The Python library cryptography is not installed",
            code="cryptography-missing",
            why=str(error),
            fix="install python3-cryptography on the machine that the task runs on, or verify when the lock is written",
        ) from error
    return serialization


def _kind(key: t.Any) -> str:
    curve = getattr(getattr(key, "curve", None), "name", "")
    size = f"{key.key_size} bits" if hasattr(key, "key_size") else ""
    return " ".join(part for part in (type(key).__name__.strip("_"), curve, size) if part)


def _bad_key(subject: str, why: str) -> InputError:
    return InputError(
        f"{subject} is no public key that signatures can be checked with",
        code="bad-key",
        why=why,
        fix=f"give a public key in PEM: ECDSA P-256 (as cosign makes it), Ed25519, or RSA of {_LEAST_RSA_BITS} bits",
        subject=subject,
    )
