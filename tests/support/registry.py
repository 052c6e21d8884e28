# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real registry (Debian's docker-registry) on a free loopback port, with a data folder of its own."""

from __future__ import annotations

import json
import re
import ssl
import typing as t
from contextlib import contextmanager
from pathlib import Path

from .certificates import Certificates, make_certificates
from .programs import require, run, serve

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class RegistryOptions(t.NamedTuple):
    """How a registry is served. ``users`` maps names to passwords; ``proxy_of`` is the URL of a registry it caches.

    ``advertise`` is the base URL it puts into Location headers (needed behind a proxy that changes the port).
    """

    users: Mapping[str, str] = {}
    tls: bool = False
    delete: bool = True
    proxy_of: str = ""
    advertise: str = ""


class Registry(t.NamedTuple):
    """A running registry. ``host`` is "127.0.0.1:PORT", the registry part of references."""

    host: str
    url: str
    data: Path
    log: Path
    users: Mapping[str, str]
    certificates: Certificates | None

    @property
    def ca_path(self) -> str:
        """Return the path of the authority's certificate, or "" for plain HTTP."""
        return str(self.certificates.authority) if self.certificates else ""

    def reference(self, repository: str, tag: str = "latest") -> str:
        """Return "127.0.0.1:PORT/REPOSITORY:TAG"."""
        return f"{self.host}/{repository}:{tag}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return a context that trusts this registry alone, or None for plain HTTP."""
        return ssl.create_default_context(cafile=self.ca_path) if self.ca_path else None

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository as the registry lists them, sorted; [] if it does not exist."""
        from .images import request

        answer = request(self, "GET", f"/v2/{repository}/tags/list", accept_status=(200, 404))
        return sorted(json.loads(answer.body).get("tags") or [])

    def digest(self, repository: str, tag: str) -> str:
        """Return the digest a tag points to ("sha256:…"), or "" if there is no such tag."""
        from .images import DOCUMENT_TYPES, request

        headers = {"Accept": ", ".join(DOCUMENT_TYPES)}
        answer = request(self, "HEAD", f"/v2/{repository}/manifests/{tag}", headers=headers, accept_status=(200, 404))
        return answer.headers.get("docker-content-digest", "") if answer.status == 200 else ""


@contextmanager
def start_registry(folder: Path, options: RegistryOptions = RegistryOptions()) -> Iterator[Registry]:  # noqa: B008
    """Serve a registry until the block ends. ``folder`` (made if needed) holds data, settings, certificates and log.

    A registry started again on the same folder serves the same content, on another port.
    """
    require("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    certificates = make_certificates(folder / "certificates") if options.tls else None
    log, settings = folder / "registry.log", folder / "config.yml"
    log.write_bytes(b"")
    settings.write_text(json.dumps(_settings(options, folder=folder, certificates=certificates)), encoding="utf-8")
    command = ["docker-registry", "serve", str(settings)]
    # The kernel chooses the port, the log tells it: no two tests can want the same one.
    with serve(command, log=log, is_ready=lambda: _port(log) > 0, environment={"OTEL_TRACES_EXPORTER": "none"}):
        host = f"127.0.0.1:{_port(log)}"
        url = f"{'https' if certificates else 'http'}://{host}"
        yield Registry(host, url, data=folder / "data", log=log, users=options.users, certificates=certificates)


def _port(log: Path) -> int:
    told = re.search(r"listening on 127\.0\.0\.1:([1-9][0-9]*)", log.read_text(encoding="utf-8", errors="replace"))
    return int(told[1]) if told else 0


def _settings(options: RegistryOptions, *, folder: Path, certificates: Certificates | None) -> dict[str, t.Any]:
    http: dict[str, t.Any] = {"addr": "127.0.0.1:0", "secret": "tests"}
    if certificates:
        http["tls"] = {"certificate": str(certificates.server), "key": str(certificates.server_key)}
    if options.advertise:
        http["host"] = options.advertise
    settings: dict[str, t.Any] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": options.delete},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
    if options.users:
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(_write_accounts(folder, options.users))}}
    if options.proxy_of:
        settings["proxy"] = {"remoteurl": options.proxy_of}
    return settings


def _write_accounts(folder: Path, users: Mapping[str, str]) -> Path:
    require("htpasswd")
    rows = [run(["htpasswd", "-niB", "-C", "4", name], input_bytes=users[name].encode()) for name in users]
    accounts = folder / "htpasswd"
    accounts.write_bytes(b"\n".join(row.strip() for row in rows) + b"\n")
    return accounts
