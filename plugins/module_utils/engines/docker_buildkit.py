# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""BuildKit of a Docker daemon, spoken to by docker's own client: buildx, or what clients before 23 have built in."""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t
from base64 import b64encode

from ..model.errors import ImagesError, UnavailableError
from ..model.reference import DOCKER_HUB, parse_reference
from ..wire.auth_files import normal_registry
from ..wire.process import run
from ..wire.unpacked import unpack
from .docker_build_output import build_failed, read_progress

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..model.build_order import BuildOrder
    from ..model.reference import Reference
    from ..wire.credentials import Credential
    from ..wire.time_limit import TimeLimit
    from .docker_api import DockerApi

_ANSWER_SECONDS = 30
_BUILD_SECONDS = 24 * 3600
_BUILT_IN_BELOW = 23  # clients from this version on leave BuildKit to buildx
_CLIENT = re.compile(r"Docker version ([0-9]{1,4})\.")
_PLUGINS = "cli-plugins"
_PLAIN_PORT, _TLS_PORT = 2375, 2376


class BuildKitClient(t.NamedTuple):
    """A docker client for the daemon of ``api``; ``has_buildx``, or BuildKit is built in.

    It has no log-ins but those of ``credentials`` for what BuildKit fetches itself.
    """

    program: str
    has_buildx: bool
    api: DockerApi
    credentials: Callable[[Reference], Credential | None]

    def build(self, order: BuildOrder, *, context: Iterable[bytes], limit: TimeLimit) -> str:
        """Build the tar ``context`` and return the image's ID. Secrets and log-ins are files of this user meanwhile.

        The client hides nothing in a tar. Where a step would take the Dockerfile, too, it gets the files in a folder.

        Raises:
            PeerError: engine-build-failed.
            UnavailableError: deadline-passed; program-timeout; build-disk; the daemon does not answer any longer.
            ImagesError: what ``context`` and ``credentials`` raise; the image of the syntax has no proper name.
        """
        try:
            with limit, tempfile.TemporaryDirectory(prefix="fleet-images-") as folder:
                return self._build(order, context=limit.guard(context), folder=folder, limit=limit)
        except OSError as error:
            raise UnavailableError(
                "A temporary file of a build cannot be written",
                code="build-disk",
                why=error.strerror or type(error).__name__,
                fix="free space on the file system of temporary files",
                subject=tempfile.gettempdir(),
            ) from error

    def _build(self, order: BuildOrder, *, context: Iterable[bytes], folder: str, limit: TimeLimit) -> str:
        told = os.path.join(folder, "told")
        command = ["buildx", "build", "--load", f"--metadata-file={told}"] if self.has_buildx else ["build"]
        result = () if self.has_buildx else (f"--iidfile={told}",)
        stdin, file, place = context, order.dockerfile, "-"
        if order.takes_dockerfile:
            # in a folder of its own: what reads it may ask for what lies beside it
            stdin, file, place = (), os.path.join(folder, "file", "Dockerfile"), os.path.join(folder, "context")
            os.mkdir(os.path.dirname(file))
            unpack(context, place)
            os.replace(os.path.join(place, order.dockerfile), file)
            with open(f"{file}.dockerignore", "w", encoding="ascii") as stream:
                stream.write("# in the place of the one in the context, which was heeded before\n")
        secrets = [*(secret.value for secret in order.secrets), *self._log_in(order, folder)]
        argv = [self.program, *command, *result, "--progress=plain", f"--file={file}", *_flags(order, folder), place]
        ended = run(argv, stdin=stdin, timeout=limit.left(_BUILD_SECONDS), env=self._environment(folder))
        if ended.status:
            self.api.find("/version")  # a daemon that went away is told as such
            outcome = read_progress(ended.stderr.decode(errors="replace"))
            raise build_failed(outcome, secrets=secrets)
        with open(told, encoding="utf-8") as stream:
            text = stream.read()
        return str(json.loads(text)["containerimage.digest"]) if self.has_buildx else text.strip()

    def _log_in(self, order: BuildOrder, folder: str) -> list[bytes]:
        """Write the client's log-ins into ``folder``, one for a registry; return what of them must not be told.

        Source: Docker CLI, ``config.json``.
        """
        logins: dict[str, Credential] = {}
        for text in (*order.cache_from, *order.syntax.split()[:1]):
            reference = parse_reference(text)
            credential = self.credentials(reference)
            if credential is not None:
                logins.setdefault(_server(reference.registry), credential)
        if logins:
            auths = {server: _login(credential) for server, credential in logins.items()}
            _write(os.path.join(folder, "config.json"), json.dumps({"auths": auths}).encode())
        return [secret.encode() for credential in logins.values() for secret in credential.secrets]

    def _environment(self, folder: str) -> dict[str, str]:
        """Return an environment with our daemon and nothing of the user's, whose TLS files lie in ``folder``."""
        endpoint, tls = self.api.endpoint, self.api.tls
        environment = {**_own_environment(folder), "DOCKER_HOST": str(endpoint)}
        if endpoint.scheme != "unix":
            port = endpoint.port or (_PLAIN_PORT if tls is None else _TLS_PORT)
            environment["DOCKER_HOST"] = str(endpoint._replace(scheme="tcp", port=port))
        if tls is not None:
            import ssl

            environment["DOCKER_CERT_PATH"] = folder
            environment["DOCKER_TLS_VERIFY" if tls.validate_certs else "DOCKER_TLS"] = "1"
            trusted = tls.ca_path or ssl.get_default_verify_paths().cafile or ""
            for name, path in (("ca", trusted), ("cert", tls.client_cert), ("key", tls.client_key or tls.client_cert)):
                if path:
                    os.symlink(os.path.abspath(path), os.path.join(folder, f"{name}.pem"))
        return environment


def find_client(api: DockerApi, *, credentials: Callable[[Reference], Credential | None]) -> BuildKitClient | None:
    """Return the first docker client on PATH that speaks to BuildKit; None: there is none for this daemon."""
    tls = api.tls
    if tls is not None and tls.validate_certs and tls.hostname not in ("", api.endpoint.address):
        return None  # no client can be told which name to expect
    with tempfile.TemporaryDirectory(prefix="fleet-images-") as folder:
        environment = _own_environment(folder)
        for place in filter(os.path.isabs, os.get_exec_path()):
            program = os.path.join(place, "docker")
            version = _CLIENT.match(_said([program, "--version"], environment)) if os.access(program, os.X_OK) else None
            if version is None:  # podman has a program of that name, too
                continue
            if _said([program, "buildx", "version"], environment):
                return BuildKitClient(program, True, api, credentials)
            if int(version[1]) < _BUILT_IN_BELOW:
                return BuildKitClient(program, False, api, credentials)
    return None


def _own_environment(folder: str) -> dict[str, str]:
    """Return an environment for a client whose only settings are in ``folder``, with the plugins of the user."""
    own = os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"), _PLUGINS)
    if os.path.isdir(own):
        os.symlink(own, os.path.join(folder, _PLUGINS))
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": folder,
        "DOCKER_CONFIG": folder,
        "DOCKER_BUILDKIT": "1",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # they make an index of the image, another one each time
    }


def _said(argv: list[str], environment: dict[str, str]) -> str:
    """Return what a program prints; nothing when it fails."""
    try:
        ended = run(argv, timeout=_ANSWER_SECONDS, env=environment)
    except ImagesError:
        return ""
    return "" if ended.status else ended.stdout.decode(errors="replace").strip()


def _flags(order: BuildOrder, folder: str) -> Iterator[str]:
    """Yield the options for ``order``; files with the secrets are written into ``folder``, which only this user reads.

    Raises:
        OSError: they cannot be written.
    """
    yield from (f"--build-arg={name}={value}" for name, value in order.args.items())
    yield from (f"--label={name}={value}" for name, value in order.labels.items())
    yield from (f"--add-host={name}:{address}" for name, address in order.etc_hosts.items())
    yield from (f"--cache-from={reference}" for reference in order.cache_from)
    given = {
        "platform": str(order.platform or ""),
        "target": order.target,
        "network": order.network,
        "shm-size": str(order.shm_size or ""),
    }
    yield from (f"--{name}={value}" for name, value in given.items() if value)
    if not order.is_cached:
        yield "--no-cache"
    for number, secret in enumerate(order.secrets):
        path = os.path.join(folder, f"secret-{number}")
        _write(path, secret.value)
        yield "--secret=" + ",".join(_field(text) for text in (f"id={secret.id}", f"src={path}"))


def _write(path: str, content: bytes) -> None:
    """Make a file that only this user reads."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


def _server(registry: str) -> str:
    """Return what docker's client knows a registry by."""
    return "https://index.docker.io/v1/" if normal_registry(registry) == DOCKER_HUB else registry


def _login(credential: Credential) -> dict[str, str]:
    """Return the entry of a registry."""
    if credential.identity_token:
        return {"identitytoken": credential.identity_token}
    return {"auth": b64encode(f"{credential.username}:{credential.password}".encode()).decode()}


def _field(text: str) -> str:
    """Return a field as comma-separated values have it."""
    return '"' + text.replace('"', '""') + '"'
