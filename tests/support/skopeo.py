# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cross-checks by tools nobody here wrote: skopeo and umoci read and write what the collection reads and writes."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

from .programs import require, run


def skopeo(*arguments: str, timeout: float = 120) -> bytes:
    """Run ``skopeo ARGUMENTS`` without a signature policy; fails if it does, skips the test where it is missing."""
    require("skopeo")
    return run(["skopeo", "--insecure-policy", *arguments], timeout=timeout)


def raw_manifest(address: str) -> bytes:
    """Return the manifest or index at an address such as "docker://127.0.0.1:5000/a:1" or "oci:/dir:name"."""
    return skopeo("inspect", "--raw", *_insecure("", address), address)


def manifest_digest(address: str) -> str:
    """Return the digest ("sha256:…") of what ``raw_manifest`` returns."""
    return "sha256:" + hashlib.sha256(raw_manifest(address)).hexdigest()


def image_config(address: str) -> dict[str, t.Any]:
    """Return the image configuration at an address, parsed."""
    return t.cast("dict[str, t.Any]", json.loads(skopeo("inspect", "--config", *_insecure("", address), address)))


def copy(source: str, destination: str, *, all_platforms: bool = False) -> None:
    """Copy an image between two addresses, over plain HTTP where one is a registry without TLS."""
    everything = ["--all"] if all_platforms else []
    skopeo("copy", "-q", *everything, *_insecure("src", source), *_insecure("dest", destination), source, destination)


def umoci_names(layout: Path) -> list[str]:
    """Return the names umoci finds in an OCI image layout, sorted."""
    require("umoci")
    return sorted(run(["umoci", "ls", "--layout", layout]).decode().split())


def umoci_collect(layout: Path) -> None:
    """Let umoci remove what no name of a layout reaches; it reads every descriptor, so it also checks the layout."""
    require("umoci")
    run(["umoci", "gc", "--layout", layout])


def umoci_unpack(layout: Path, name: str, bundle: Path) -> Path:
    """Unpack an image of a layout with umoci and return the folder of its root file system."""
    require("umoci")
    run(["umoci", "unpack", "--rootless", "--image", f"{layout}:{name}", bundle])
    return bundle / "rootfs"


def _insecure(side: str, address: str) -> list[str]:
    option = f"--{side}-tls-verify=false" if side else "--tls-verify=false"
    return [option] if address.startswith("docker://") else []
