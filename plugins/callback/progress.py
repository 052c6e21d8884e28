# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines on the terminal that tell how far hosts are with their images."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: A line for each host that pulls images
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - While hosts pull images, a line for each of them stands below the output of the run, with the image, the bytes that
    are there and those that are wanted, the rate and the time that is left. The lines go when the hosts are done.
  - The output itself stays as it is. Where it does not go to a terminal, the plugin does nothing at all.
  - It does nothing on a terminal either that nobody looks at. Known as such are E(CI) being set, AWX and other users of
    C(ansible-runner), C(TERM=dumb), and output for programs, by C(-o) or one of the callbacks C(json), C(jsonl),
    C(oneline), C(null) and C(dense).
  - The modules M(fleet.images.image_state) and M(fleet.images.image_pull) tell how far they are. Each host is asked
    once a second, over the connection of the task, and less often where asking takes long.
  - A host that cannot be asked has no line. That is no failure.
requirements:
  - To be enabled, with C(callbacks_enabled = fleet.images.progress) in the configuration of Ansible.
options:
  enabled:
    description: Whether lines are shown on a terminal.
    type: bool
    default: true
    env:
      - name: FLEET_IMAGES_PROGRESS
    ini:
      - section: callback_fleet_images_progress
        key: enabled
"""

import atexit
import os
import sys
import threading
import typing as t

from ansible import constants as C  # noqa: N812 (Ansible's own habit)
from ansible import context
from ansible.plugins.callback import CallbackBase

from ..plugin_utils.progress_feed import close_feed, open_feed, received
from ..plugin_utils.progress_lines import Track, lines
from ..plugin_utils.progress_screen import Screen

_ACTIONS = frozenset({"fleet.images.image_state", "fleet.images.image_pull"})
_SHORT_ACTIONS = frozenset(name.rpartition(".")[2] for name in _ACTIONS)
_FOR_PROGRAMS = frozenset({"awx_display", "dense", "json", "jsonl", "null", "oneline"})
_INTERVAL_SECONDS = 0.25


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Follows the hosts of tasks that pull, and draws."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fleet.images.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._screen: Screen | None = None
        self._tracks: dict[str, Track] = {}
        self._busy: set[str] = set()
        self._lock = threading.RLock()  # a signal may come while it is held, and what it says is written
        self._ended = threading.Event()  # another one for each playbook of the command line

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Begin to follow, before the first worker that has something to tell."""
        if self._screen is not None or not _tells(task) or not self._is_watched():
            return
        open_feed()
        self._screen, self._ended = Screen(), threading.Event()
        threading.Thread(target=self._draw, args=(self._screen, self._ended), daemon=True).start()
        atexit.register(self._end)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """Follow ``host``."""
        if self._screen is not None and _tells(task):
            with self._lock:
                self._busy.add(host.get_name())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Take the host's line away."""
        self._leave(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Take the host's line away."""
        self._leave(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Take the host's line away."""
        self._leave(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """Take the host's line away."""
        self._leave(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """End."""
        self._end()

    def _is_watched(self) -> bool:
        """Whether people look at the output, and want to see lines."""
        output = C.DEFAULT_STDOUT_CALLBACK.rpartition(".")[2]
        return (
            bool(self.get_option("enabled"))
            and sys.stdout.isatty()
            and os.environ.get("TERM", "dumb") != "dumb"
            and not os.environ.get("CI")
            and "AWX_ISOLATED_DATA_DIR" not in os.environ  # which ansible-runner sets, for AWX and others
            and output not in _FOR_PROGRAMS
            and not context.CLIARGS.get("one_line")
        )

    def _leave(self, result: t.Any) -> None:
        if self._screen is None:
            return
        name = result._host.get_name()
        with self._lock:
            self._busy.discard(name)
            if self._tracks.pop(name, None) is not None and not self._tracks:
                self._screen.close()

    def _draw(self, screen: Screen, ended: threading.Event) -> None:
        while not ended.wait(_INTERVAL_SECONDS):
            with self._lock:
                if ended.is_set():
                    return
                for progress in received():
                    if progress.host not in self._busy:
                        continue
                    if progress.host in self._tracks:
                        self._tracks[progress.host].follow(progress)
                    else:
                        self._tracks[progress.host] = Track(progress)
                if self._tracks:
                    columns, rows = screen.size
                    screen.draw(lines(self._tracks.values(), columns=columns, rows=rows))

    def _end(self) -> None:
        with self._lock:
            self._ended.set()
            close_feed()
            self._tracks.clear()
            self._busy.clear()
            if self._screen is not None:
                self._screen.close()
            self._screen = None


def _tells(task: t.Any) -> bool:
    return task.action in _ACTIONS or task.action in _SHORT_ACTIONS
