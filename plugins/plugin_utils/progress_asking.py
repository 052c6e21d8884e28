# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What actions do for who watches: they ask the host, while its module runs, how far it is."""

from __future__ import annotations

import contextlib
import copy
import posixpath
import shlex
import threading
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ..module_utils.task.check_mode import is_plan_only
from .progress_feed import is_open, tell

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "FLEET_IMAGES_PROGRESS_FILE"
_INTERVAL_SECONDS = 1.0
_LONGEST_SECONDS = 10.0  # what takes long waits more than it works
_REST = 50  # one part in so many is for asking


@contextlib.contextmanager
def asked(action: t.Any, host: str) -> Iterator[None]:
    """Tell the feed how far ``host`` is while the block runs the module of ``action``; without a feed do nothing.

    A host that cannot be asked is not asked.
    """
    task = action._task
    if not is_open() or task.async_val or is_plan_only(task):
        yield
        return
    path = _path(action)
    if not path:
        yield
        return
    given = task.environment
    task.environment = [*(given or ()), {_VARIABLE: path}]
    # The module has the connection: what one command leaves in it must not meet the other's.
    reader = _Reader(copy.copy(action._connection), path, host=host)
    reader.start()
    try:
        yield
    finally:
        reader.stop()
        task.environment = given


def _path(action: t.Any) -> str:
    """Return where the module may write and the connection's user may read, empty if there is no such place."""
    shell = action._connection._shell
    try:
        if shell.tmpdir is None:
            action._make_tmp_path()
        folder = posixpath.join(shell.tmpdir, "progress")
        if action._is_become_unprivileged():
            command = _for_another(action.get_become_option("become_user"), folder, parent=shell.tmpdir)
            if action._low_level_execute_command(command, sudoable=False)["rc"] != 0:
                return ""
            return posixpath.join(folder, "progress.json")
        return posixpath.join(shell.tmpdir, "progress.json")
    except AnsibleConnectionFailure:
        return ""  # the module meets the same, and tells it


def _for_another(user: str, folder: str, *, parent: str) -> str:
    """Return what makes ``folder``, which we can read and another user can write. Root needs no ACLs for that."""
    told, own, above = shlex.quote(user), shlex.quote(folder), shlex.quote(parent)
    by_list = f"setfacl -m u:{told}:rwx {own} && setfacl -m u:{told}:r-x {above}"
    return f"mkdir -m 700 {own} && {{ {{ {by_list}; }} || chown {told} {own}; }}"


class _Reader:
    """A thread that asks one host."""

    def __init__(self, connection: t.Any, path: str, *, host: str) -> None:
        self._connection = connection
        self._command = f"head -c 4096 {shlex.quote(path)}"
        self._host = host
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; nothing is told after this, unless the host hangs."""
        self._stopped.set()
        self._thread.join(_INTERVAL_SECONDS)

    def _ask(self) -> None:
        pause = _INTERVAL_SECONDS
        while not self._stopped.wait(pause):
            started = time.monotonic()
            try:
                _status, said, _errors = self._connection.exec_command(self._command, sudoable=False)
            except (AnsibleError, OSError):
                return
            pause = min(max(_INTERVAL_SECONDS, _REST * (time.monotonic() - started)), _LONGEST_SECONDS)
            if said and not self._stopped.is_set():
                tell(self._host, said)
