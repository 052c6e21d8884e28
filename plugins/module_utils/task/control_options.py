# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that work on the control node."""

from __future__ import annotations

import typing as t

from .options import STATE, VERIFY

if t.TYPE_CHECKING:
    from .options import Spec

#: ``images`` are read by the control node's rules, and again as ITEM says: see ``lock_options.py``.
LOCK: Spec = {
    "images": {"type": "list", "elements": "dict"},
    "from_file": STATE["from_file"],
    "path": {"type": "path", "default": "images.lock.json"},
    "update": {"type": "list", "elements": "str"},
    "platforms": {"type": "list", "elements": "str"},
    "frozen": {"type": "bool", "default": False},
    "min_age": {"type": "str"},
    **VERIFY,
}

REPORT: Spec = {
    "images": LOCK["images"],
    "from_file": STATE["from_file"],
    "lock": STATE["lock"],
    "hosts": {"type": "dict", "required": True},
    "unlisted": STATE["unlisted"],
    "protect": STATE["protect"],
    "dest": {"type": "raw", "required": True},
    "history": {"type": "int", "default": 30},
    "sign_key": {"type": "path", "no_log": False},
    "fail_on": {"type": "str", "choices": ["none", "drift", "failed"], "default": "none"},
}
