# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks of images that tests made, written without the code that is tested."""

from __future__ import annotations

import hashlib
import json
import typing as t

from .images import MadeImage, MadeIndex


def lock_of(images: t.Mapping[str, MadeImage | MadeIndex]) -> dict[str, t.Any]:
    """Return the lock document that says that each reference, written in full, is its image."""
    return {"version": 1, "images": {name: entry_of(name, image) for name, image in images.items()}}


def entry_of(name: str, image: MadeImage | MadeIndex) -> dict[str, t.Any]:
    """Return the entry for ``name``, with the checksum that is right for it."""
    singles = image.images if isinstance(image, MadeIndex) else (image,)
    entry = {
        "digest": image.digest,
        "media_type": image.manifest.media_type,
        "platforms": {single.platform: _platform_of(single) for single in singles},
    }
    return {**entry, "checksum": checksum_of(name, entry)}


def checksum_of(name: str, entry: t.Mapping[str, t.Any]) -> str:
    """Return the checksum of an entry that has none yet."""
    text = json.dumps([name, entry], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _platform_of(image: MadeImage) -> dict[str, t.Any]:
    blobs = (image.manifest, image.config, *image.layers)
    config = json.loads(image.config.data)
    return {
        "manifest": image.digest,
        "config": image.config.digest,
        "size": sum(len(blob.data) for blob in blobs),
        "diff_ids": config["rootfs"]["diff_ids"],
    }
