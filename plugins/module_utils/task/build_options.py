# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a build, and the environment, to an order for the builder."""

from __future__ import annotations

import os
import re
import typing as t

from ..build.base import BuildSpec
from ..model.errors import InputError
from .sizes import parse_size

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.platform import Platform
    from ..plan.desired import DesiredImage

_LATEST_SECONDS = 8**11 - 1  # what eleven octal digits of a tar header hold: the year 2242


def build_spec(
    options: Mapping[str, t.Any], *, platform: Platform | None, host: Platform, is_native: bool
) -> BuildSpec:
    """Return what is to be built; without ``platform`` the image is for hosts like ``host``.

    Raises:
        InputError: bad-source-date-epoch.
    """
    return BuildSpec(
        context=options["path"] or "",
        platform=platform or _portable(host),
        dockerfile=options["dockerfile"] or "Dockerfile",
        dockerfile_inline=options["dockerfile_inline"] or "",
        args={str(name): _text(value) for name, value in (options["args"] or {}).items()},
        target=options["target"] or "",
        labels={str(name): _text(value) for name, value in (options["labels"] or {}).items()},
        source_date_epoch=_source_date_epoch(),
        network=options["network"] or "",
        squash=options["squash"],
        shm_size=parse_size(options["shm_size"]) if options["shm_size"] else 0,
        etc_hosts={str(name): str(address) for name, address in (options["etc_hosts"] or {}).items()},
        secret_ids=tuple(sorted(row["id"] for row in options["secrets"] or ())),
        is_native=is_native,
        cache_folder=cache_folder(),
    )


def from_itself(item: DesiredImage) -> InputError:
    """Return the error for a Dockerfile that starts from the image it builds."""
    return InputError(
        f"The build of {item.wanted} starts from {item.wanted}",
        code="build-from-itself",
        why="each run would build upon what the one before built, and never be done",
        fix="give the result another name, or set pull: true to start from the registry's image",
        subject=item.path,
    )


def _portable(platform: Platform) -> Platform:
    """Return the host's platform without its processor's level: what is built there is no other image for that."""
    return platform._replace(variant="") if platform.architecture == "amd64" else platform


def cache_folder() -> str:
    """Return where it is remembered what contexts held: per user, for root per system; "" where there is no place."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if not folder:
        folder = "/var/cache" if os.geteuid() == 0 else os.path.expanduser("~/.cache")
    return os.path.join(folder, "fleet-images") if os.path.isabs(folder) else ""


def _source_date_epoch() -> int:
    """Return SOURCE_DATE_EPOCH of the environment, 0 when it is not set.

    Raises:
        InputError: it is not a number of seconds.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "").strip() or "0"
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > _LATEST_SECONDS:
        raise InputError(
            f"SOURCE_DATE_EPOCH is {text!r}",
            code="bad-source-date-epoch",
            fix=f"set it to seconds since 1970, at most {_LATEST_SECONDS}, or do not set it",
            subject="SOURCE_DATE_EPOCH",
        )
    return int(text)


def _text(value: object) -> str:
    """Return an arg's or label's value as YAML's writer meant it: true, not True."""
    return str(value).lower() if isinstance(value, bool) else str(value if value is not None else "")
