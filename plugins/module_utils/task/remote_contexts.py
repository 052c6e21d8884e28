# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts of builds that are fetched first, in check mode too: a cache is no state of the host."""

from __future__ import annotations

import typing as t

from ..build.remote_context import fetch_context, parse_remote, remembered_as

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..build.base import BuildSpec
    from ..wire.registry_settings import RegistrySettings


def with_fetched(specs: Sequence[BuildSpec], *, settings: Callable[[], RegistrySettings]) -> list[BuildSpec]:
    """Return the builds of one context, for several platforms, with the folder that holds it, fetched if need be.

    Raises:
        ImagesError: its address is no such, or it cannot be fetched.
    """
    remote = parse_remote(specs[0].context)
    if remote is None:
        return list(specs)
    cache = specs[0].cache_folder
    folder = fetch_context(remote, cache_folder=cache, settings=settings())
    known_as = remembered_as(remote, cache_folder=cache)
    return [spec._replace(context=folder, remembered_as=known_as) for spec in specs]
