# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an item cannot be planned. Compiled where one cannot."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError, NotFoundError, UnsupportedError
from .questions import damage_of

if t.TYPE_CHECKING:
    from ..model.host import LocalImage, Observed
    from .desired import DesiredImage


def not_on_host(item: DesiredImage, image: LocalImage | None) -> NotFoundError:
    """Return the error for an item that must be on the host already; ``image`` is what its name has there."""
    if image is None:
        why = "no image of that name, digest or ID is there"
    elif not image.is_complete:
        why = damage_of(image)
    else:
        why = f"the host has it for {image.platform}, {item.platform} is wanted"
    return NotFoundError(
        f"{item.wanted} is not on the host",
        code="not-on-host",
        why=why,
        fix="pull or build it first, and name it as the host does",
        subject=item.path,
    )


def other_platform(item: DesiredImage, observed: Observed) -> UnsupportedError:
    """Return the error for a platform that the host's engine cannot be asked for."""
    return UnsupportedError(
        f"{item.path}: {observed.engine} here can only pull for {observed.platform}",
        code="engine-too-old",
        why=f"platform {item.platform} is wanted, and this engine is too old to be told a platform",
        fix="upgrade the engine, set api_version to auto if it is pinned, or leave the option platform out",
        subject=f"{item.path}.platform",
    )


def id_not_a_name(item: DesiredImage) -> InputError:
    """Return the error for an item that is named by an image ID, where only a name will do."""
    return InputError(
        f"{item.wanted} is an image ID, a name is needed here",
        code="id-not-a-name",
        fix="write the name with its repository",
        subject=item.path,
    )
