# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an archive of images on the control node holds, as hosts can be told it without its layers."""

from __future__ import annotations

from ..module_utils.build.archive_writing import Packed, archive_pieces
from ..module_utils.task.archive_files import reading, spool_folder


def hollow_archive(path: str) -> bytes:
    """Return an archive that tells of every image and layer at ``path``, and holds no layer.

    Raises:
        ImagesError: it is not there, cannot be read, or is no archive of images.
    """
    with reading(path) as reader:
        packed = [
            Packed(
                image.names,
                reader.complete(image, folder=spool_folder()),
                image.index_digest,
                image.document,
                image.siblings,
            )
            for image in reader.archived()
        ]
        return b"".join(archive_pieces(packed, is_hollow=True))
