# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that work with archives, beside those that all modules have."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .options import Spec

_PLATFORM: Spec = {"platform": {"type": "str", "aliases": ["arch"]}, "tag": {"type": "str"}}

SAVE: Spec = {
    "name": {"type": "list", "elements": "str", "required": True, "aliases": ["image", "images", "names"]},
    "path": {"type": "path", "required": True, "aliases": ["dest", "archive_path"]},
    "force": {"type": "bool", "default": False},
    **_PLATFORM,
}

LOAD: Spec = {
    "path": {"type": "path", "required": True, "aliases": ["input", "src", "load_path", "archive_path"]},
    "name": {"type": "list", "elements": "str", "aliases": ["image", "names"]},
    "remote_src": {"type": "bool", "default": True},
    "repository": {"type": "list", "elements": "str", "aliases": ["target_names", "target"]},
    **_PLATFORM,
}

IMPORT: Spec = {
    "src": {"type": "path", "required": True, "aliases": ["path"]},
    "name": {"type": "str", "required": True, "aliases": ["image"]},
    "change": {"type": "list", "elements": "str", "aliases": ["changes"]},
    "commit_message": {"type": "str"},
    **_PLATFORM,
}
