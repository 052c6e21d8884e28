# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns copied files: ``--chown`` with numbers, or with names that the image itself knows.

Source: Dockerfile reference, "COPY --chown --chmod": a number alone is user and group; a name alone takes its group
from the image's /etc/passwd.
"""

from __future__ import annotations

import typing as t

from .copying import CopyError

if t.TYPE_CHECKING:
    from .tree import Tree

_LIMIT = 1024 * 1024  # bytes of /etc/passwd that are read
_ID_LIMIT = 2**32 - 1  # of user and group IDs in Linux; the last one means none


def find_owner(tree: Tree, text: str) -> tuple[int, int]:
    """Return uid and gid that ``text`` (``user``, ``user:group``, names or numbers) means in ``tree``.

    Raises:
        CopyError: unknown-owner.
    """
    user, has_group, group = text.partition(":")
    uid, gid = _user(tree, user)
    return uid, _group(tree, group) if has_group and group else gid


def find_mode(text: str) -> int:
    """Return the permissions that ``--chmod`` spells in octal.

    Raises:
        CopyError: dockerfile-syntax.
    """
    if not text or len(text) > 5 or any(digit not in "01234567" for digit in text) or int(text, 8) > 0o7777:
        raise CopyError(f"--chmod={text} is no octal number", code="dockerfile-syntax", fix="write it like --chmod=755")
    return int(text, 8)


def _user(tree: Tree, name: str) -> tuple[int, int]:
    if name.isdecimal():
        return _number(name), _number(name)
    for row in _rows(tree, "/etc/passwd"):
        if row[0] == name and len(row) > 3 and row[2].isdecimal() and row[3].isdecimal():
            return int(row[2]), int(row[3])
    raise _unknown(name, "/etc/passwd")


def _group(tree: Tree, name: str) -> int:
    if name.isdecimal():
        return _number(name)
    for row in _rows(tree, "/etc/group"):
        if row[0] == name and len(row) > 2 and row[2].isdecimal():
            return int(row[2])
    raise _unknown(name, "/etc/group")


def _number(text: str) -> int:
    if len(text) > 10 or int(text) >= _ID_LIMIT:
        raise CopyError(f"--chown names {text}, which is too large for an ID", code="unknown-owner")
    return int(text)


def _rows(tree: Tree, path: str) -> list[list[str]]:
    node = tree.find(tree.resolve(path))
    if node is None or node.entry.content is None:
        return []
    stream = node.entry.content.open()
    try:
        content = b""
        while len(content) < _LIMIT:
            chunk = stream.read(_LIMIT - len(content))
            if not chunk:
                break
            content += chunk
    finally:
        stream.close()
    return [line.split(":") for line in content.decode("utf-8", "replace").splitlines()]


def _unknown(name: str, path: str) -> CopyError:
    return CopyError(
        f"--chown names {name}, which {path} of the image does not know",
        code="unknown-owner",
        fix=f"use a number, or add {name} to {path} in a base image",
    )
