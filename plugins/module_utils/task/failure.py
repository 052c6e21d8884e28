# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where an error becomes a failed task."""

from __future__ import annotations

import contextlib
import typing as t

from ..model.errors import ImagesError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible.module_utils.basic import AnsibleModule


@contextlib.contextmanager
def failures_told(module: AnsibleModule) -> Iterator[None]:
    """Turn an explained error into ``fail_json`` with ``error``; anything else is a bug and keeps its traceback."""
    try:
        yield
    except ImagesError as error:
        module.fail_json(msg=str(error), error=error.to_json())
