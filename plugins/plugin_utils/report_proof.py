# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof in a report: one digest for all that a host holds, one for the fleet, and a signature over the file.

``docs/verify_report.py`` checks all of it without the collection. What is digested is written there in prose, too.

Source: RFC 6962, section 2.1 (Merkle trees); PROTOCOL.sshsig of OpenSSH.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ..module_utils.model.errors import InputError
from ..module_utils.wire.process import run

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What signatures are for, so that none made for something else can be shown as one of a report.
NAMESPACE = "fleet.images"

_PREFIX = "sha256:"
_IDENTITY = ("index", "manifest", "config")
_SIGN_SECONDS = 60  # a key may lie in a token that wants to be touched


def seal(report: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the report with a ``leaf`` in every cell, a ``root`` in every host, and the ``root`` of the fleet.

    What it had of them is replaced. A host of which nothing is known has the root "", and counts with it.
    """
    hosts = [_sealed(host) for host in report["hosts"]]
    return {**report, "hosts": hosts, "root": fleet_root({host["host"]: host["root"] for host in hosts})}


def leaf_of(reference: str, cell: Mapping[str, t.Any]) -> str:
    """Return the digest of one image on one host: of its reference, and of each digest of it that the host knows."""
    return _PREFIX + _leaf_hash(_identity(reference, cell)).hex()


def host_root(cells: Mapping[str, Mapping[str, t.Any]]) -> str:
    """Return the Merkle root over a host's images in the order of their references; "" if there are none."""
    return _root([_identity(reference, cells[reference]) for reference in sorted(cells)])


def fleet_root(roots: Mapping[str, str]) -> str:
    """Return the Merkle root over (host, root) in the order of the hosts' names; "" if there are none."""
    return _root([{"host": host, "root": roots[host]} for host in sorted(roots)])


def sign(content: bytes, *, key: str) -> str:
    """Return the armoured signature of a report's file, as ``ssh-keygen -Y verify`` takes it.

    ``key`` is the file of a private key without a passphrase, or of a public key whose private half an agent holds.

    Raises:
        InputError: ``report-key-unusable``: nothing can be signed with this file.
        NotFoundError: ``program-missing``: there is no ssh-keygen on PATH.
        UnsupportedError: ``program-not-runnable``.
        UnavailableError: ``program-timeout``: the agent did not answer.
    """
    done = run(["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", key], stdin=content, timeout=_SIGN_SECONDS)
    if done.status != 0 or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(
            f"The report cannot be signed with {key}",
            code="report-key-unusable",
            why=said[-1] if said else f"ssh-keygen ended with status {done.status}",
            fix="name a private SSH key without a passphrase, or the public half of one that ssh-agent holds",
            subject=key,
        )
    return done.stdout.decode("ascii")


def _sealed(host: Mapping[str, t.Any]) -> dict[str, t.Any]:
    cells = {reference: {**cell, "leaf": leaf_of(reference, cell)} for reference, cell in host["cells"].items()}
    return {**host, "cells": cells, "root": host_root(cells)}


def _identity(reference: str, cell: Mapping[str, t.Any]) -> dict[str, t.Any]:
    identity = {"reference": reference, **{name: cell.get(name) or "" for name in _IDENTITY}}
    return {**identity, "diff_ids": list(cell["diff_ids"])} if cell.get("diff_ids") else identity


def _root(values: Sequence[Mapping[str, t.Any]]) -> str:
    return _PREFIX + _tree_hash([_leaf_hash(value) for value in values]).hex() if values else ""


def _leaf_hash(value: Mapping[str, t.Any]) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))  # escapes all but ASCII: one form for every text
    return hashlib.sha256(b"\0" + text.encode("ascii")).digest()


def _tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over one hash or more; the left half is the largest power of two that leaves a right half."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _tree_hash(hashes[:half]) + _tree_hash(hashes[half:])).digest()
