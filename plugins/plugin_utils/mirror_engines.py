# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each engine must read so that it asks mirrors first: the text of its files, or the reason why it cannot.

Source: docker docs daemon.json; moby daemon/hosts.go; containerd docs/hosts.md; containers-registries.conf(5);
containers-certs.d(5).
"""

from __future__ import annotations

import json
import posixpath
import typing as t

from .mirror_entries import upstream_url
from .mirror_toml import Cannot, declares_registry, has_table, insert_tables, text_value, with_config_path

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .mirror_entries import MirrorEntry

ENGINES: t.Final = ("docker", "containerd", "podman")
PLACES: t.Final = (
    "docker_config",
    "docker_certs",
    "containerd_config",
    "containerd_certs",
    "podman_config",
    "podman_certs",
)
_NOTE = "# Mirrors, written by the role fleet.images.registry_mirrors.\n"
_CA_FILE = "fleet-images-mirror.crt"


class Refused(t.NamedTuple):
    """A mirror that an engine cannot have, and why."""

    engine: str
    registry: str
    location: str
    reason: str


class Host(t.NamedTuple):
    """What is known of a host before anything is written.

    ``places`` has a path for each of ``PLACES``. ``existing`` has the text of each file as it was without mirrors, by
    path, where there is one. ``has_containerd_store`` tells how Docker keeps images, ``others`` holds further files
    that Podman reads.
    """

    places: Mapping[str, str]
    existing: Mapping[str, str] = {}
    others: Mapping[str, str] = {}
    has_containerd_store: bool = False
    asks_mirrors_for_tags: bool = True


class Rendered(t.NamedTuple):
    """Files by their path, and what could not be had."""

    files: dict[str, str]
    refused: list[Refused]

    def refuse(self, engine: str, entry: MirrorEntry, *, reason: str) -> None:
        """Note that ``engine`` cannot have the mirror."""
        self.refused.append(Refused(engine, entry.prefix, entry.location, reason))


def render_mirrors(entries: Sequence[MirrorEntry], engines: Iterable[str], *, host: Host) -> Rendered:
    """Return the files with which the named ``engines`` of a host use the mirrors. Nothing is read or written."""
    rendered = Rendered({}, [])
    chosen = set(engines)
    if "docker" in chosen:
        if host.has_containerd_store:
            _render_hosts(entries, "docker", host=host, rendered=rendered)
        else:
            _render_daemon(entries, host, rendered=rendered)
    if "containerd" in chosen and _render_hosts(entries, "containerd", host=host, rendered=rendered):
        _render_config_path(entries, host, rendered=rendered)
    if "podman" in chosen:
        _render_podman(entries, host, rendered=rendered)
    return rendered


def _render_daemon(entries: Sequence[MirrorEntry], host: Host, *, rendered: Rendered) -> None:
    """Docker with its own store: one list of mirrors, of Docker Hub."""
    path, taken = host.places["docker_config"], []
    for entry in entries:
        reason = _no_daemon_mirror(entry, host)
        if reason:
            rendered.refuse("docker", entry, reason=reason)
        else:
            taken.append(entry)
    text = host.existing.get(path, "")
    try:
        settings = json.loads(text) if text.strip() else {}
    except ValueError:
        settings = None
    there = settings.get("registry-mirrors", []) if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(there, list):
        for entry in taken:
            rendered.refuse("docker", entry, reason=f"{path} is no configuration that Docker reads: correct it first")
        return
    if not taken:
        return
    ours = [entry.url for entry in taken]
    settings["registry-mirrors"] = ours + [url for url in there if str(url).rstrip("/") not in ours]
    rendered.files[path] = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    _render_authorities(taken, host.places["docker_certs"], rendered=rendered)


def _no_daemon_mirror(entry: MirrorEntry, host: Host) -> str:
    if entry.prefix != "docker.io":
        return (
            "with its own image store Docker mirrors docker.io alone, as a whole: use Docker 28 or newer with the"
            " containerd image store, or another engine"
        )
    if entry.folder:
        return "with its own image store Docker takes no path in a mirror's address: give the mirror a host of its own"
    if entry.kind == "spegel":
        return "Spegel serves the images of containerd"
    if not host.asks_mirrors_for_tags:
        return "with its own image store Docker asks mirrors for tags, too: set registry_mirrors_tags to mirror"
    return ""


def _render_hosts(entries: Sequence[MirrorEntry], engine: str, *, host: Host, rendered: Rendered) -> bool:
    """Write hosts.toml for each registry; returns whether there is one."""
    registries: dict[str, list[MirrorEntry]] = {}
    for entry in entries:
        reason = _no_hosts_mirror(entry, engine)
        if reason:
            rendered.refuse(engine, entry, reason=reason)
        else:
            registries.setdefault(entry.registry, []).append(entry)
    has_any = False
    for registry, mirrors in registries.items():
        folder = posixpath.join(host.places[f"{engine}_certs"], registry)
        path = posixpath.join(folder, "hosts.toml")
        existing = host.existing.get(path, "")
        tables = ""
        for entry in mirrors:
            if has_table(existing, f'host."{_hosts_url(entry)}"'):
                rendered.refuse(engine, entry, reason=f"{path} has this mirror already, from somebody else")
                continue
            authority = posixpath.join(folder, f"{entry.host.replace(':', '_')}.pem") if entry.ca else ""
            if authority:
                rendered.files[authority] = entry.ca
            tables += _hosts_table(entry, authority, asks_for_tags=host.asks_mirrors_for_tags)
        if tables:
            rendered.files[path] = insert_tables(existing, _NOTE + tables)
            has_any = True
    return has_any


def _no_hosts_mirror(entry: MirrorEntry, engine: str) -> str:
    if entry.path:
        return f"{engine} mirrors registries as a whole: declare {entry.registry}, or use Podman"
    if entry.kind == "spegel" and engine == "docker":
        return "Spegel serves the images of containerd"
    return ""


def _hosts_url(entry: MirrorEntry) -> str:
    return f"{entry.url}/v2/{entry.folder}" if entry.folder else entry.url


def _hosts_table(entry: MirrorEntry, authority: str, *, asks_for_tags: bool) -> str:
    """Return the table of a mirror. Without ``server`` above it, what mirrors lack comes from the registry itself."""
    name = f"host.{text_value(_hosts_url(entry))}"
    rows = [f"[{name}]", f"  capabilities = {json.dumps(['pull', 'resolve'] if asks_for_tags else ['pull'])}"]
    if entry.folder:
        rows.append("  override_path = true")
    if authority:
        rows.append(f"  ca = {text_value(authority)}")
    if entry.kind == "dragonfly":
        rows += [f"  [{name}.header]", f"    X-Dragonfly-Registry = {text_value(upstream_url(entry.registry))}"]
    return "\n".join(rows) + "\n\n"


def _render_config_path(entries: Sequence[MirrorEntry], host: Host, *, rendered: Rendered) -> None:
    path, certs = host.places["containerd_config"], host.places["containerd_certs"]
    existing = host.existing.get(path, "")
    text = with_config_path(existing, certs)
    if not isinstance(text, Cannot):
        if text != existing:
            rendered.files[path] = text
        return
    for name in [name for name in rendered.files if name.startswith(f"{certs.rstrip('/')}/")]:
        del rendered.files[name]
    refused = {(row.registry, row.location) for row in rendered.refused if row.engine == "containerd"}
    for entry in entries:
        if (entry.prefix, entry.location) not in refused:
            rendered.refuse("containerd", entry, reason=text.reason)


def _render_podman(entries: Sequence[MirrorEntry], host: Host, *, rendered: Rendered) -> None:
    path = host.places["podman_config"]
    prefixes: dict[str, list[MirrorEntry]] = {}
    for entry in entries:
        reason = _no_podman_mirror(entry, host)
        if reason:
            rendered.refuse("podman", entry, reason=reason)
        else:
            prefixes.setdefault(entry.prefix, []).append(entry)
    if not prefixes:
        return
    rows = [_NOTE]
    for prefix, mirrors in prefixes.items():
        rows.append(f"[[registry]]\nprefix = {text_value(prefix)}\nlocation = {text_value(prefix)}\n\n")
        for entry in mirrors:
            rows.append(f"[[registry.mirror]]\nlocation = {text_value(entry.location)}\n")
            rows.append("insecure = true\n" if entry.is_insecure else "")
            rows.append("" if host.asks_mirrors_for_tags else 'pull-from-mirror = "digest-only"\n')
            rows.append("\n")
    rendered.files[path] = "".join(rows).rstrip("\n") + "\n"
    _render_authorities([m for each in prefixes.values() for m in each], host.places["podman_certs"], rendered=rendered)


def _no_podman_mirror(entry: MirrorEntry, host: Host) -> str:
    if entry.kind in ("spegel", "dragonfly"):
        return f"Podman does not tell a mirror which registry it means, and {entry.kind} cannot know"
    for path, text in host.others.items():
        if path != host.places["podman_config"] and declares_registry(text, entry.prefix):
            return f"{path} says how to reach {entry.prefix}, and Podman joins no two files: write the mirror there"
    return ""


def _render_authorities(entries: Iterable[MirrorEntry], folder: str, *, rendered: Rendered) -> None:
    """Docker and Podman trust every *.crt in the folder of the host they speak to."""
    for entry in entries:
        if entry.ca:
            rendered.files[posixpath.join(folder, entry.host, _CA_FILE)] = entry.ca
