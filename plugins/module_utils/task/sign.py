# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing: the options of the module, and its work."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import Spec

#: Beside NAMES.
SIGN: Spec = {
    "private_key": {"type": "str", "no_log": True},
    "private_key_path": {"type": "path", "no_log": False},
    "private_key_passphrase": {"type": "str", "no_log": True},
    "identity": {"type": "str", "choices": ["repository", "exact"], "default": "repository"},
    "recursive": {"type": "bool", "default": False},
}


def sign(params: Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Let the images that the options of ``image_sign`` name be signed. See Work."""
    from .signing import sign_images

    return sign_images(params, is_dry=is_dry)
