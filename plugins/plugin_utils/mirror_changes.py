# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host must undergo so that just the wanted files of mirrors are there, and how to go all the way back.

A record on the host says of each file what was there before. It is written before the files, so that a run that is
broken off is completed, or undone, by the next one.
"""

from __future__ import annotations

import hashlib
import posixpath
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FileRecord(t.NamedTuple):
    """What the record has of a file: its backup ("" where there was none) and the SHA-1 of what may stand there.

    ``before`` is the SHA-1 of what was there, or "". ``written`` are those of what was, or was about to be, written.
    """

    backup: str
    before: str
    written: tuple[str, ...]


class Record(t.NamedTuple):
    """All files that are not as they were, and the folders that did not exist before, outer ones first."""

    files: dict[str, FileRecord]
    folders: list[str]

    @classmethod
    def from_json(cls, value: Mapping[str, t.Any]) -> Record:
        """Return the record that ``to_json`` wrote; of an empty one nothing was changed."""
        files = {
            path: FileRecord(row["backup"], row["before"], tuple(row["written"]))
            for path, row in value.get("files", {}).items()
        }
        return cls(files, list(value.get("folders", [])))

    def to_json(self) -> dict[str, t.Any]:
        """Return it as JSON has it."""
        files = {path: {**row._asdict(), "written": list(row.written)} for path, row in sorted(self.files.items())}
        return {"files": files, "folders": self.folders}


class Steps(t.NamedTuple):
    """What to do, in this order; ``foreign`` are files that somebody changed since, and that are in the way.

    ``backups`` and ``restores`` map a path to its backup's name; ``folders`` are to be removed where empty, inner ones
    first; ``forgotten`` are backups that nothing needs any more; ``record`` is what the host keeps at the end, and
    ``journal`` what it keeps meanwhile.
    """

    backups: dict[str, str]
    journal: dict[str, t.Any]
    writes: dict[str, str]
    restores: dict[str, str]
    removals: list[str]
    folders: list[str]
    forgotten: list[str]
    record: dict[str, t.Any]
    foreign: list[str]


def plan_steps(
    wanted: Mapping[str, str], record: Record, *, checksums: Mapping[str, str], missing: Sequence[str]
) -> Steps:
    """Return the steps from what is there to ``wanted`` (text by path).

    ``checksums`` has the SHA-1 of every existing file that is wanted or recorded, ``missing`` the folders of wanted
    files that do not exist.
    """
    kept: dict[str, FileRecord] = {}
    journal = dict(record.files)
    backups, writes = {}, {}
    for path, text in wanted.items():
        now, then = checksums.get(path, ""), hashlib.sha1(text.encode()).hexdigest()
        row = record.files.get(path) or FileRecord(_backup_name(path) if now else "", now, ())
        kept[path] = row._replace(written=(then,))
        if path not in record.files and row.backup:
            backups[path] = row.backup
        if now != then:
            writes[path] = text
            journal[path] = row._replace(written=tuple(dict.fromkeys((*row.written, then))))
        else:
            journal[path] = journal.get(path, kept[path])
    gone = {path: row for path, row in record.files.items() if path not in wanted}
    folders = [*record.folders, *(folder for folder in missing if folder not in record.folders)]
    needed = {folder for folder in folders if any(path.startswith(f"{folder}/") for path in wanted)}
    final = Record(kept, [folder for folder in folders if folder in needed])
    return Steps(
        backups=backups,
        journal=Record(journal, folders).to_json(),
        writes=writes,
        restores={path: row.backup for path, row in gone.items() if row.backup and checksums.get(path) != row.before},
        removals=[path for path, row in gone.items() if not row.backup and path in checksums],
        folders=sorted((folder for folder in folders if folder not in needed), key=len, reverse=True),
        forgotten=[row.backup for row in gone.values() if row.backup],
        record=final.to_json() if kept else {},
        foreign=sorted(
            path for path, row in record.files.items() if checksums.get(path, "") not in (row.before, *row.written)
        ),
    )


def parents_of(paths: Sequence[str]) -> list[str]:
    """Return every folder above ``paths`` but the root, outer ones first."""
    found = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder not in ("", "/"):
            found.add(folder)
            folder = posixpath.dirname(folder)
    return sorted(found, key=lambda folder: (folder.count("/"), folder))


def _backup_name(path: str) -> str:
    """Return a file name that no other path has, and that people recognise."""
    return f"{hashlib.sha1(path.encode()).hexdigest()[:12]}-{posixpath.basename(path)}"
