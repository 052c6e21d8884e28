# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small changes to the TOML of other people's configuration: every line that is there stays as it is.

Lines are read, not values: only tables and keys at the begin of a line count, as engines and people write them.
"""

from __future__ import annotations

import json
import re
import typing as t

_HEADER = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_PAIR = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*(?:#[^\"']*)?$")
#: The table of containerd's registries, by the version of its configuration.
_REGISTRY_TABLES = {
    "2": 'plugins."io.containerd.grpc.v1.cri".registry',
    "3": 'plugins."io.containerd.cri.v1.images".registry',
}


class Cannot(t.NamedTuple):
    """Why a file is not changed."""

    reason: str


class _Line(t.NamedTuple):
    """A line with the table it is in (as ``_Line`` of the header itself has it), and the key and value it sets."""

    text: str
    table: str
    is_header: bool
    key: str
    value: str


def text_value(text: str) -> str:
    """Return ``text`` as a TOML string: JSON's strings are TOML's, too."""
    return json.dumps(text, ensure_ascii=False)


def insert_tables(existing: str, tables: str) -> str:
    """Return ``existing`` with ``tables`` before its first table: what stands above them belongs to no table."""
    lines = existing.splitlines(keepends=True)
    at = next((number for number, line in enumerate(_read(existing)) if line.is_header), len(lines))
    above, below = "".join(lines[:at]), "".join(lines[at:])
    if above and not above.endswith("\n"):
        above += "\n"
    return above + tables + below


def has_table(existing: str, name: str) -> bool:
    """Tell whether the text has a table ``name``, given with double quotes."""
    return any(line.is_header and line.table == name for line in _read(existing))


def declares_registry(existing: str, prefix: str) -> bool:
    """Tell whether a registries.conf has a ``[[registry]]`` for just this prefix.

    Source: containers-registries.conf(5): prefix is location where it is left out.
    """
    found: dict[str, str] = {}
    for line in [*_read(existing), _Line("", "registry", is_header=True, key="", value="")]:
        if line.table != "registry":
            continue
        if line.is_header:
            if found.get("prefix", found.get("location")) == prefix:
                return True
            found = {}
        elif line.key:
            found[line.key] = line.value.strip("\"'")
    return False


def with_config_path(existing: str, folder: str) -> str | Cannot:
    """Return containerd's configuration with ``folder`` as the place of its hosts.toml files.

    An empty ``existing`` is a file that is not there. One without Kubernetes' part stays as it is: nobody reads the
    setting there. Source: containerd docs/cri/registry.md, docs/hosts.md.
    """
    lines = _read(existing)
    top = {line.key: line.value for line in lines if not line.table}
    if re.search(r"""["'](?:io\.containerd\.grpc\.v1\.)?cri["']""", _list_of(existing, "disabled_plugins")):
        return existing
    version = top.get("version", "" if existing.strip() else "2")
    if version not in _REGISTRY_TABLES:
        return Cannot("its configuration is of a version that has no folder of hosts.toml files: write version = 2")
    table = _REGISTRY_TABLES[version]
    if any(line.table.startswith(f"{table}.mirrors") for line in lines):
        return Cannot("its configuration has registry.mirrors, which it does not take together with hosts.toml files")
    path = f"config_path = {text_value(folder)}\n"
    for number, line in enumerate(lines):
        if line.table == table and line.key == "config_path":
            there = line.value.strip("\"'")
            if folder in there.split(":"):
                return existing
            if there:
                return Cannot(f"it reads hosts.toml files in {there}: set registry_mirrors_containerd_certs to that")
            return _joined(lines, at=number, skip=1, text=_indent(line.text) + path)
    for number, line in enumerate(lines):
        if line.table == table and line.is_header:
            return _joined(lines, at=number + 1, skip=0, text=_indent(line.text) + "  " + path)
    begin = existing if existing.strip() else "version = 2\n"
    return f"{begin}{'' if begin.endswith(chr(10)) else chr(10)}\n[{table}]\n  {path}"


def _read(text: str) -> list[_Line]:
    rows, table = [], ""
    for line in text.splitlines(keepends=True):
        header, pair = _HEADER.match(line.rstrip("\r\n")), _PAIR.match(line.rstrip("\r\n"))
        # A value of several lines may have lines like [ or ["x"], which are none of a table.
        if header and not re.match(r"^\s*\[\s*[\"']?[^\"'\]]*[\"']?\s*,", line):
            table = header[2].replace("'", '"')
        is_header = bool(header)
        key, value = (pair[1], pair[2]) if pair and not header else ("", "")
        rows.append(_Line(line, table, is_header, key, value))
    return rows


def _list_of(text: str, key: str) -> str:
    found = re.search(rf"(?m)^\s*{re.escape(key)}\s*=\s*\[([^\]]*)\]", text)
    return found[1] if found else ""


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _joined(lines: t.Sequence[_Line], *, at: int, skip: int, text: str) -> str:
    return "".join(line.text for line in lines[:at]) + text + "".join(line.text for line in lines[at + skip :])
