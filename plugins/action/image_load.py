# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node's half of image_load: an archive that lies here goes to hosts that lack something of it."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as AnyModule

from ..module_utils.model.errors import ImagesError
from ..plugin_utils.archive_listing import hollow_archive

_PATH = ("path", "input", "src", "load_path", "archive_path")


class ActionModule(AnyModule):  # type: ignore[misc]  # Ansible has no types
    """Runs the module of the same name; with ``remote_src: false`` on a copy, made only where it is needed."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result, or a failure of the same form without having reached the host."""
        given = [name for name in _PATH if self._task.args.get(name)]
        if not given or _is_there(self._task.args.get("remote_src", True)):
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        source = self._find(str(self._task.args[given[0]]))
        is_here = self._connection.transport == "local" and not self._connection.become
        try:
            listing = b"" if is_here or self._task.async_val else hollow_archive(source)
        except ImagesError as error:
            return {"failed": True, "msg": str(error), "error": error.to_json()}
        written = self._task.args
        try:
            return self._load(source, option=given[0], listing=listing, is_here=is_here, task_vars=task_vars)
        finally:
            self._task.args = written

    def _load(
        self, source: str, *, option: str, listing: bytes, is_here: bool, task_vars: dict[str, t.Any] | None
    ) -> dict[str, t.Any]:
        if is_here:
            return self._run(source, option=option, task_vars=task_vars)
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        place = shell.join_path(shell.tmpdir, "images.tar")
        try:
            answer: dict[str, t.Any] = {}
            if listing:
                self._transfer_data(place, listing)
                self._fixup_perms2((shell.tmpdir, place))
                answer = self._run(place, option=option, task_vars=task_vars)
            if not listing or (answer.get("error") or {}).get("code") == "archive-hollow":
                self._transfer_file(source, place)
                self._fixup_perms2((shell.tmpdir, place))
                answer = self._run(place, option=option, task_vars=task_vars)
        finally:
            if not self._task.async_val:  # else the job removes the folder when it is over
                self._remove_tmp_path(shell.tmpdir)
        return t.cast("dict[str, t.Any]", _renamed(answer, place, to=source))

    def _run(self, path: str, *, option: str, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        self._task.args = {**self._task.args, option: path, "remote_src": True}
        answer: dict[str, t.Any] = self._execute_module(
            module_name="fleet.images.image_load",
            module_args=self._task.args,
            task_vars=task_vars,
            wrap_async=wrap_async,
        )
        return answer

    def _find(self, path: str) -> str:
        """Return where ``path`` is on the control node: beside the playbook, or where roles keep files."""
        try:
            return str(self._find_needle("files", path))
        except AnsibleError:
            return os.path.abspath(str(self._loader.path_dwim(path)))


def _is_there(remote_src: t.Any) -> bool:
    """Return what the option means; what is neither true nor false is the module's to tell."""
    try:
        return bool(boolean(remote_src, strict=True))
    except TypeError:
        return True


def _renamed(value: t.Any, place: str, *, to: str) -> t.Any:
    """Return a result that tells the archive's own path and not that of its copy."""
    if isinstance(value, str):
        return value.replace(place, to)
    if isinstance(value, dict):
        return {key: _renamed(part, place, to=to) for key, part in value.items()}
    return [_renamed(part, place, to=to) for part in value] if isinstance(value, list) else value
