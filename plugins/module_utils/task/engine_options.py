# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an engine is reached: the options of the task, then the environment of the host, then what is usual."""

from __future__ import annotations

import os
import re
import typing as t

from ..model.errors import InputError, Problem
from .option_problems import TLS, is_given, is_network

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..wire.ctr import Ctr

    Params = Mapping[str, t.Any]

DOCKER_ADDRESS = "unix:///var/run/docker.sock"
CONTAINERD_ADDRESS = "/run/containerd/containerd.sock"
TIMEOUT_SECONDS = 60

_YES = frozenset({"yes", "on", "true", "1", "y", "t", "1.0"})
_NO = frozenset({"no", "off", "false", "0", "n", "f", "0.0"})


class DockerOptions(t.NamedTuple):
    """How to reach Docker. ``uses_tls`` counts for addresses that do not say it themselves."""

    address: str
    uses_tls: bool
    validate_certs: bool
    hostname: str
    ca_path: str
    client_cert: str
    client_key: str
    api_version: str
    timeout: float


class PodmanOptions(t.NamedTuple):
    """How to reach podman; an empty ``address`` has its service started for the task."""

    address: str
    executable: str
    timeout: float


class ContainerdOptions(t.NamedTuple):
    """How to reach containerd: its socket, the namespace there, and ``ctr``."""

    address: str
    namespace: str
    executable: str
    timeout: float


def docker_options(params: Params, environ: Mapping[str, str]) -> DockerOptions:
    """Return how to reach Docker, with the names and variables of community.docker.

    ``tls`` alone encrypts and does not look at certificates; ``validate_certs`` does. ``https://`` does unless that is
    switched off.

    Raises:
        InputError: a variable cannot be read, or TLS files are given for a connection without TLS.
    """
    given = _Given(params, environ)
    address = given.text("docker_host", "DOCKER_HOST") or DOCKER_ADDRESS
    tls, validates = given.switch("tls", "DOCKER_TLS"), given.switch("validate_certs", "DOCKER_TLS_VERIFY")
    is_https = address.startswith("https:")
    uses_tls = is_network(address) and bool(tls or validates or is_https)
    files = [name for name in TLS[2:] if is_given(params, name)]
    if files and not uses_tls and is_network(address):
        from ..wire.redact import redact_url

        told = f"the connection to {redact_url(address)} has no TLS"
        given.problems.append(Problem(files[0], told, "set tls or validate_certs, or leave it out"))
    folder = environ.get("DOCKER_CERT_PATH", "")
    options = DockerOptions(
        address=address,
        uses_tls=uses_tls,
        validate_certs=validates if validates is not None else is_https and not tls,
        hostname=given.text("tls_hostname", "DOCKER_TLS_HOSTNAME"),
        ca_path=params["ca_path"] or _file(folder, "ca.pem"),
        client_cert=params["client_cert"] or _file(folder, "cert.pem"),
        client_key=params["client_key"] or _file(folder, "key.pem"),
        api_version=given.text("api_version", "DOCKER_API_VERSION") or "auto",
        timeout=given.timeout(),
    )
    given.finish()
    return options


def podman_options(params: Params, environ: Mapping[str, str]) -> PodmanOptions:
    """Return how to reach podman.

    Raises:
        InputError: a variable cannot be read.
    """
    given = _Given(params, environ)
    address = given.text("docker_host", "CONTAINER_HOST")
    options = PodmanOptions(address, params["executable"] or "podman", given.timeout())
    given.finish()
    return options


def containerd_options(params: Params, environ: Mapping[str, str]) -> ContainerdOptions:
    """Return how to reach containerd.

    Raises:
        InputError: a variable cannot be read.
    """
    given = _Given(params, environ)
    address = given.text("containerd_address", "CONTAINERD_ADDRESS") or CONTAINERD_ADDRESS
    namespace = given.text("namespace", "CONTAINERD_NAMESPACE") or "default"
    options = ContainerdOptions(address, namespace, params["executable"] or "ctr", given.timeout())
    given.finish()
    return options


def containerd_client(params: Params) -> Ctr:
    """Return what runs ``ctr`` as the options say; it asks nothing yet.

    Raises:
        InputError: a variable cannot be read.
    """
    from ..wire.ctr import Ctr

    options = containerd_options(params, os.environ)
    return Ctr(options.address, namespace=options.namespace, executable=options.executable, timeout=options.timeout)


class _Given:
    """Options of the task, and variables where it is silent; what cannot be read is told by ``finish``."""

    def __init__(self, params: Params, environ: Mapping[str, str]) -> None:
        self._params = params
        self._environ = environ
        self.problems: list[Problem] = []

    def text(self, name: str, variable: str) -> str:
        return str(self._params[name] or self._environ.get(variable, ""))

    def switch(self, name: str, variable: str) -> bool | None:
        given, word = self._params[name], self._environ.get(variable, "").lower()
        if given is not None or not word:
            return t.cast("bool | None", given)
        if word not in _YES | _NO:
            told = f"{word!r} is neither true nor false"
            self.problems.append(Problem(variable, told, f"set it to 1 or 0, or {name} in the task"))
        return word in _YES

    def timeout(self) -> float:
        if self._params["timeout"] is not None:
            return float(self._params["timeout"])
        text = self._environ.get("DOCKER_TIMEOUT", "").strip() or str(TIMEOUT_SECONDS)
        if not re.fullmatch("[1-9][0-9]{0,8}", text):
            self.problems.append(Problem("DOCKER_TIMEOUT", f"{text!r} is no number of seconds", "set timeout"))
            return TIMEOUT_SECONDS
        return float(text)

    def finish(self) -> None:
        """Tell all problems, if there are any.

        Raises:
            InputError: there are.
        """
        if self.problems:
            raise InputError.of(self.problems)


def _file(folder: str, name: str) -> str:
    """Return the file of that name where the folder has one: Docker's clients need not have all three."""
    path = os.path.join(folder, name)
    return path if folder and os.path.exists(path) else ""
