# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed between the inputs of two builds, in the words of those who changed it."""

from __future__ import annotations

import json
import typing as t

from .inputs import SHORT, shortened

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .context import Row

_SHOWN = 3
_WORDS = {
    "dockerfile": "Dockerfile",
    "source-date-epoch": "SOURCE_DATE_EPOCH",
    "onbuild": "ONBUILD triggers of a base",
    "build-platform": "platform that builds",
    "builder": "rules of the builder",
}
_VALUES = ("platform", "build-platform", "network", "shm-size", "source-date-epoch")
_ORDER = ("dockerfile", "context", "base", "arg", "label", "target", "platform")


class FileChanges(t.NamedTuple):
    """Paths of a context, each list sorted. A folder is named only where nothing in it is."""

    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return ``2 files changed: src/app.py, src/x.py (new)``; at most three names."""
        marks = {**dict.fromkeys(self.changed, ""), **dict.fromkeys(self.new, " (new)")}
        marks.update(dict.fromkeys(self.gone, " (gone)"))
        names = [f"{path}{marks[path]}" for path in sorted(marks)]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{len(names)} file{'s' * (len(names) != 1)} changed: {', '.join(names[:_SHOWN])}{more}"


def file_changes(before: Iterable[Row], after: Iterable[Row]) -> FileChanges:
    """Return which paths differ between two lists of rows."""
    old, new = ({row.path: row for row in rows} for rows in (before, after))
    return FileChanges(
        _leaves(path for path in old if path in new and old[path] != new[path]),
        _leaves(path for path in new if path not in old),
        _leaves(path for path in old if path not in new),
    )


def inputs_of(label: str) -> dict[str, str]:
    """Return the fields that the label of an image tells; none when it is no such label."""
    try:
        fields = json.loads(label)
    except ValueError:
        return {}
    is_ours = isinstance(fields, dict) and all(isinstance(text, str) for text in fields.values())
    return t.cast("dict[str, str]", fields) if is_ours else {}


def what_changed(before: Mapping[str, str], after: Mapping[str, str], *, files: FileChanges | None = None) -> str:
    """Return which fields of the inputs differ, joined by semicolons; "" when none does, or ``before`` is not known.

    Digests may be shortened on either side. ``files`` says what changed in the context.
    """
    if not before:
        return ""
    old, new = shortened(before), shortened(after)
    names = (name for name in {*old, *new} if old.get(name) != new.get(name))
    return "; ".join(_told(name, old, new=new, files=files) for name in sorted(names, key=_rank))


def _rank(name: str) -> tuple[int, str]:
    kind = name.partition(":")[0]
    return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), name)


def _told(name: str, old: Mapping[str, str], *, new: Mapping[str, str], files: FileChanges | None) -> str:
    kind, has_own_name, own = name.partition(":")
    if kind == "context" and files is not None:
        return f"context: {files}"
    word = f"{kind} {own}" if has_own_name else _WORDS.get(kind, kind.replace("-", "_"))
    if kind == "platform" and "," in old.get(name, "") + new.get(name, ""):
        return _platforms(old.get(name, "").split(","), new.get(name, "").split(","))
    show: Callable[[str], str] = _digest if kind == "base" else str
    if name not in old or name not in new:
        value = f" {show(new[name])}" if name in new and kind in ("base", *_VALUES) else ""
        return f"{word}{value} ({'new' if name in new else 'gone'})"
    return f"{word} {show(old[name])} -> {show(new[name])}" if kind in ("base", *_VALUES) else word


def _platforms(old: list[str], new: list[str]) -> str:
    """Return ``platform linux/arm64 (new)``, or the two lists where only their order differs."""
    told = [f"{name} (new)" for name in new if name not in old] + [f"{name} (gone)" for name in old if name not in new]
    return f"platform {', '.join(told) or ','.join(old) + ' -> ' + ','.join(new)}"


def _digest(text: str) -> str:
    return f"{text[:SHORT]}…"


def _leaves(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(_without_folders(sorted(paths, key=lambda path: path.split("/"))))


def _without_folders(paths: list[str]) -> Iterator[str]:
    for path, following in zip(paths, [*paths[1:], ""]):
        if path and not following.startswith(f"{path}/"):
            yield path
