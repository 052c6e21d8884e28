# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads sources of images that a test writes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.plugin_utils.image_sources import Found, images_from_files

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Sources:
    """A folder of files on the control node, as a playbook lies beside it."""

    def __init__(self, folder: Path) -> None:
        """Start with an empty folder."""
        self.folder = folder

    def write(self, files: Mapping[str, str]) -> None:
        """Write texts to paths below the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def read(self, *rows: object, **options: t.Any) -> Found:
        """Return what ``from_file`` with ``rows`` gives."""
        return images_from_files(list(rows), find=lambda path: str(self.folder / path), **options)

    def places(self, *rows: object) -> dict[str, list[str]]:
        """Return where each image was found."""
        return {row["image"]: row["found"] for row in self.read(*rows).sources}

    def problems(self, *rows: object, **options: t.Any) -> list[str]:
        """Return what is wrong, each problem as ``place: what``; fails if nothing is."""
        with pytest.raises(InputError) as caught:
            self.read(*rows, **options)
        return [f"{problem.path}: {problem.what}" for problem in caught.value.problems]
