# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys in files: as openssl writes them, and as ``cosign generate-key-pair`` does."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.signatures import secretbox
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.poly1305 import Poly1305

if t.TYPE_CHECKING:
    from .signing import Signer

_PKCS8 = serialization.PrivateFormat.PKCS8


def pem_key(signer: Signer, *, passphrase: str = "", form: serialization.PrivateFormat = _PKCS8) -> str:
    """Return the private key in PEM, encrypted if there is a passphrase."""
    encryption: t.Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return str(signer.private.private_bytes(serialization.Encoding.PEM, form, encryption).decode())


def cosign_key(signer: Signer, *, passphrase: str, label: str = "SIGSTORE") -> str:
    """Return the private key in the box that cosign keeps it in. Its cipher is ours, which a test holds to NaCl's."""
    content = signer.private.private_bytes(serialization.Encoding.DER, _PKCS8, serialization.NoEncryption())
    salt, nonce, cost = os.urandom(32), os.urandom(secretbox.NONCE_SIZE), 32768
    key = hashlib.scrypt(passphrase.encode(), salt=salt, n=cost, r=8, p=1, maxmem=1 << 27, dklen=32)
    stream = secretbox._stream(key, nonce, length=32 + len(content))
    hidden = bytes(one ^ other for one, other in zip(content, stream[32:], strict=True))
    box = Poly1305.generate_tag(stream[:32], hidden) + hidden
    document = {
        "kdf": {"name": "scrypt", "params": {"N": cost, "r": 8, "p": 1}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(box),
    }
    body = _text(json.dumps(document).encode())
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN ENCRYPTED {label} PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED {label} PRIVATE KEY-----\n"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
