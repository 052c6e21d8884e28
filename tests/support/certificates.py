# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority of a test's own, and a server certificate from it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .programs import require, run


class Certificates(t.NamedTuple):
    """PEM files: what clients trust, what the server shows, and its key."""

    authority: Path
    server: Path
    server_key: Path


def make_certificates(folder: Path, *, names: t.Sequence[str] = ("IP:127.0.0.1", "DNS:localhost")) -> Certificates:
    """Return an authority and a server certificate for ``names`` (subjectAltName entries), valid for two days.

    Files that are there already are used again.
    """
    require("openssl")
    made = Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
    if made.server.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, request, extensions = folder / "ca.key", folder / "server.csr", folder / "server.ext"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority_use = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    subject = ["-days", "2", "-subj", "/CN=tests authority", *authority_use]
    run(["openssl", "req", "-x509", *new_key, "-keyout", str(ca_key), "-out", str(made.authority), *subject])
    run(["openssl", "req", *new_key, "-keyout", str(made.server_key), "-out", str(request), "-subj", "/CN=registry"])
    usage = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n"
    names_line = ",".join(names)
    extensions.write_text(f"subjectAltName={names_line}\n{usage}", encoding="utf-8")
    signed_by = ["-CA", str(made.authority), "-CAkey", str(ca_key), "-CAcreateserial", "-days", "2"]
    target = ["-extfile", str(extensions), "-out", str(made.server)]
    run(["openssl", "x509", "-req", "-in", str(request), *signed_by, *target])
    return made


def make_client_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a client's certificate and its key, from the authority that ``make_certificates`` made in ``folder``."""
    shown, key, request, extensions = (folder / f"client.{ending}" for ending in ("crt", "key", "csr", "ext"))
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    run(["openssl", "req", *new_key, "-out", str(request), "-subj", "/CN=client"])
    extensions.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n", encoding="utf-8")
    authority = ["-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2"]
    target = ["-extfile", str(extensions), "-out", str(shown)]
    run(["openssl", "x509", "-req", "-in", str(request), *authority, *target])
    return shown, key
