# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a module as Ansible hands them over, with all defaults filled in."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.task import options
from ansible_collections.fleet.images.plugins.module_utils.task.info import INFO

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.task.options import Spec


def filled(*specs: Spec, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``specs`` with their defaults, but ``given`` where they are given."""
    names = {name: row.get("default") for spec in specs for name, row in spec.items()}
    assert set(given) <= set(names), set(given) - set(names)
    return {**names, **given}


def state(*items: t.Mapping[str, t.Any], **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_state`` for ``items``, each with the keys that a playbook gives."""
    rows = []
    for item in items:
        row = filled(options.ITEM, **item)
        if row["build"] is not None:
            row["build"] = filled(options.BUILD, **row["build"])
        rows.append(row)
    return filled(options.COMMON, options.PULL, options.STATE, images=rows, **given)


def pull(*names: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_pull``."""
    return filled(options.COMMON, options.PULL, options.NAMES, name=list(names), **given)


def push(*names: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_push``."""
    return filled(options.COMMON, options.NAMES, options.PUSH, name=list(names), **given)


def rmi(*names: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_rmi``."""
    return filled(options.COMMON, options.NAMES, options.RMI, name=list(names), **given)


def tag(name: str, *repository: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_tag``."""
    return filled(options.COMMON, options.TAG, name=name, repository=list(repository), **given)


def build(name: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_build``."""
    return filled(options.COMMON, options.BUILD, options.BUILD_RESULT, name=name, **given)


def common(**given: t.Any) -> dict[str, t.Any]:
    """Return the options that every module has."""
    return filled(options.COMMON, **given)


def info(*names: str, **given: t.Any) -> dict[str, t.Any]:
    """Return the options of ``image_info``."""
    return filled(options.COMMON, INFO, name=list(names), **given)
