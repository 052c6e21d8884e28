# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders that an image is written to beside the store of its engine."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .host import Identity

Form = t.Literal["local", "tar", "oci", "docker"]


class Output(t.NamedTuple):
    """Where an image is written to, and how; ``dest`` is an absolute path.

    ``local``: its files in a folder; ``tar``: its files in an archive; ``oci`` and ``docker``: the image itself, in an
    archive with an OCI image layout or in the form of ``docker save``.
    """

    form: Form
    dest: str

    @property
    def is_whole_image(self) -> bool:
        """Whether it holds the image itself, so that engines can load it, and not only its files."""
        return self.form in ("oci", "docker")


class Written(t.NamedTuple):
    """What a destination holds: which image, by which name (archives of whole images), and whether still as written."""

    identity: Identity
    name: str = ""
    is_intact: bool = True
