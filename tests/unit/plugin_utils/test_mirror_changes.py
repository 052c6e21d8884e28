# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of mirrors come and go: whatever happens in between, at the end everything is as it was."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.fleet.images.plugins.plugin_utils.mirror_changes import Record, Steps, parents_of, plan_steps
from hypothesis import given
from hypothesis import strategies as st

PATHS = ["/etc/a", "/etc/d/b", "/etc/d/e/c"]
TEXTS = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["", "x", "y", "z"]))


class SimulatedHost:
    """Files and folders in memory, and what the role keeps there: a record, and backups by name."""

    def __init__(self, files: t.Mapping[str, str]) -> None:
        self.files = dict(files)
        self.folders = {"/etc", *parents_of(list(files))}
        self.backups: dict[str, str] = {}
        self.record: dict[str, t.Any] = {}

    def plan(self, wanted: t.Mapping[str, str]) -> Steps:
        """Return the steps to ``wanted``."""
        return plan_steps(
            wanted,
            Record.from_json(self.record),
            checksums={path: hashlib.sha1(text.encode()).hexdigest() for path, text in self.files.items()},
            missing=[folder for folder in parents_of(list(wanted)) if folder not in self.folders],
        )

    def take(self, steps: Steps, *, changes: int = 100) -> None:
        """Do as the role does; broken off after so many ``changes`` of files."""
        for path, name in steps.backups.items():
            self.backups[name] = self.files[path]
        self.record = steps.journal
        self.folders |= set(parents_of(list(steps.writes)))
        rows: list[tuple[str, str | None]] = list(steps.writes.items())
        rows += [(path, self.backups[name]) for path, name in steps.restores.items()]
        rows += [(path, None) for path in steps.removals]
        for path, text in rows[:changes]:
            if text is None:
                del self.files[path]
            else:
                self.files[path] = text
        if changes < len(rows):
            return
        for folder in steps.folders:
            if not any(other.startswith(f"{folder}/") for other in (*self.files, *self.folders)):
                self.folders.discard(folder)
        self.record = steps.record
        for name in steps.forgotten:
            del self.backups[name]


@given(TEXTS, TEXTS, TEXTS, st.integers(0, 3), st.integers(0, 3))
def test_undone_is_as_before_whatever_was_wanted_and_broken_off(
    before: dict[str, str], first: dict[str, str], second: dict[str, str], stop: int, stop_again: int
) -> None:
    host = SimulatedHost(before)
    folders = set(host.folders)
    for wanted, changes in ((first, stop), (second, stop_again), (second, 100)):
        steps = host.plan(wanted)
        assert steps.foreign == []
        host.take(steps, changes=changes)
    assert host.files == {**before, **second}
    again = host.plan(second)
    assert not (again.writes or again.restores or again.removals or again.backups or again.folders)
    host.take(host.plan({}))
    assert host.files == before
    assert host.folders == folders
    assert (host.record, host.backups) == ({}, {})


def test_a_file_that_somebody_changed_since_is_named() -> None:
    host = SimulatedHost({"/etc/a": "old"})
    host.take(host.plan({"/etc/a": "ours", "/etc/d/b": "ours"}))
    host.files["/etc/a"] = "theirs"
    assert host.plan({}).foreign == ["/etc/a"]
    del host.files["/etc/d/b"]
    assert host.plan({}).foreign == ["/etc/a"]  # what was not there before, and is not there, is no loss


def test_folders_above_files_are_named_outer_ones_first() -> None:
    assert parents_of(["/a/b/c", "/a/d"]) == ["/a", "/a/b"]
