# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of what serves mirrors: zot, Harbor, Spegel and Dragonfly. Installing them is somebody else's work.

Source: zot examples/config-docker-compat-sync.json; Harbor api/v2.0/swagger.yaml (Registry, ProjectReq); Spegel main.go
(environment of the registry command); Dragonfly client dragonfly-client-config (proxy of dfdaemon.yaml).
"""

from __future__ import annotations

import json
import typing as t

from ..module_utils.model.errors import InputError, Problem
from .mirror_entries import upstream_url

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .mirror_entries import MirrorEntry

_HUB_OF_HARBOR = {"type": "docker-hub", "url": "https://hub.docker.com"}


def render_server(entries: Sequence[MirrorEntry], kind: str, *, peers: Sequence[str] = ()) -> str:
    """Return the text with which a server of that ``kind`` serves those of ``entries`` that are of its kind.

    ``peers`` are the addresses with which Spegel begins.

    Raises:
        InputError: no such server is known, none of the mirrors is of its kind, or it cannot serve one of them so.
    """
    if kind not in SERVERS:
        raise InputError.of([Problem("kind", f"{kind!r} is unknown here", f"use one of {', '.join(SERVERS)}")])
    own = [entry for entry in entries if entry.kind == kind]
    if not own:
        raise InputError.of([Problem("", f"no mirror has kind: {kind}")])
    if peers and kind != "spegel":
        raise InputError.of([Problem("peers", f"{kind} has none", "leave it out")])
    problems = [Problem(entry.location, problem) for entry in own for problem in _problems_of(entry)]
    if len({entry.host for entry in own}) > 1:
        hosts = ", ".join(sorted({entry.host for entry in own}))
        problems.append(Problem("", f"one server is meant, and there are {hosts}", "select the mirrors of one host"))
    if problems:
        raise InputError.of(problems)
    return SERVERS[kind](own, peers)


def _problems_of(entry: MirrorEntry) -> t.Iterator[str]:
    if entry.kind == "harbor":
        project, _slash, rest = entry.folder.partition("/")
        if not project:
            yield "Harbor serves a mirror as a project: write the project's name behind the host"
        elif rest != entry.path:
            yield f"a project mirrors a registry as a whole: write {entry.host}/{project}/{entry.path}".rstrip("/")
    if entry.kind in ("spegel", "dragonfly") and (entry.folder or entry.path):
        yield f"{entry.kind} mirrors registries as a whole, and at no path"


def _zot(entries: Sequence[MirrorEntry], peers: Sequence[str]) -> str:
    """Digests must stay what they are: Docker's formats are allowed, and nothing is converted."""
    upstreams: dict[str, list[dict[str, t.Any]]] = {}
    for entry in entries:
        row: dict[str, t.Any] = {"prefix": f"{entry.path}/**" if entry.path else "**"}
        if entry.folder or entry.path:
            row["destination"] = f"/{entry.folder}"
        if entry.path:
            row["stripPrefix"] = True
        upstreams.setdefault(upstream_url(entry.registry), []).append(row)
    registries = [
        {"urls": [url], "onDemand": True, "tlsVerify": True, "preserveDigest": True, "content": content}
        for url, content in upstreams.items()
    ]
    return _json({
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": "/var/lib/zot"},
        "http": {"address": "0.0.0.0", "port": _port(entries[0], 443), "compat": ["docker2s2"]},  # noqa: S104
        "extensions": {"sync": {"enable": True, "registries": registries}},
    })


def _harbor(entries: Sequence[MirrorEntry], peers: Sequence[str]) -> str:
    """The bodies of two requests for each project: the second needs the number that the first one yields."""
    registries, projects = {}, {}
    for entry in entries:
        upstream = _HUB_OF_HARBOR if entry.registry == "docker.io" else None
        upstream = upstream or {"type": "docker-registry", "url": upstream_url(entry.registry)}
        registries[entry.registry] = {"name": entry.registry, **upstream, "insecure": False}
        project = entry.folder.partition("/")[0]
        projects[project] = {
            "registry": entry.registry,
            "body": {"project_name": project, "metadata": {"public": "true"}},
        }
    return _json({"registries": list(registries.values()), "projects": list(projects.values())})


def _spegel(entries: Sequence[MirrorEntry], peers: Sequence[str]) -> str:
    # Its own names, not those under which the registries serve: it looks images up as containerd names them.
    names = dict.fromkeys(f"https://{entry.registry}" for entry in entries)
    rows = [f"MIRRORED_REGISTRIES={','.join(names)}", f"REGISTRY_ADDR=:{_port(entries[0], 5000)}"]
    if peers:
        rows += ["BOOTSTRAP_KIND=static", f"STATIC_BOOTSTRAP_PEERS={','.join(peers)}"]
    return "\n".join(rows) + "\n"


def _dragonfly(entries: Sequence[MirrorEntry], peers: Sequence[str]) -> str:
    """YAML; the address counts for those who do not say which registry they mean, as Docker does not."""
    registries = [entry.registry for entry in entries]
    default = upstream_url("docker.io" if "docker.io" in registries else registries[0])
    return (
        "proxy:\n"
        "  server:\n"
        f"    port: {_port(entries[0], 4001)}\n"
        "  rules:\n"
        "    - regex: 'blobs/sha256.*'\n"
        "  registryMirror:\n"
        f"    addr: {default}\n"
    )


def _port(entry: MirrorEntry, default: int) -> str:
    return entry.host.rpartition(":")[2] if ":" in entry.host else str(default)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


SERVERS: t.Final[dict[str, Callable[[Sequence[MirrorEntry], Sequence[str]], str]]] = {
    "zot": _zot,
    "harbor": _harbor,
    "spegel": _spegel,
    "dragonfly": _dragonfly,
}
