# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How podman speaks to registries for us: whole transfers, with our credentials and nobody else's."""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError, UnavailableError, UnsupportedError, deadline_passed

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..wire.credentials import Credential
    from .podman_api import PodmanApi

_NO_DEADLINE_SECONDS = 7 * 86400.0  # podman says nothing while it moves layers, and its end is told by the connection


class PodmanTransfer:
    """Pulls and pushes of one podman, each by one request that is answered when it is over.

    When the connection ends before, podman stops. It never tells how many bytes moved.
    """

    def __init__(
        self,
        api: PodmanApi,
        *,
        credentials: t.Callable[[Reference], Credential | None],
        validate_certs: bool | None,
    ) -> None:
        """Take who knows the credential for a repository. ``validate_certs`` None: as podman is set up."""
        self._api = api
        self._credentials = credentials
        self._validate_certs = validate_certs

    def pull(self, source: Reference, *, platform: Platform | None, deadline: float | None) -> str:
        """Let podman fetch ``source``, and name the image by it; return the image's ID.

        Raises:
            PeerError: engine-pull-failed.
            UnavailableError: deadline-passed; engine-timeout.
        """
        query = {"reference": str(source), "policy": "always", "quiet": "true", **self._tls(source.registry)}
        if platform is not None:
            query.update(OS=platform.os, Arch=platform.architecture, Variant=platform.variant)
        credential = self._credentials(source)
        told = self._transfer("/images/pull", query, credential=credential, deadline=deadline, subject=source)
        images = told.get("images") if isinstance(told, dict) else None
        if not images:
            raise _failed("pull", source, told=told, credential=credential)
        return str(images[-1])

    def push(self, image_id: str, destination: Reference, *, deadline: float | None) -> None:
        """Let podman put an image under the tag ``destination``.

        Raises:
            PeerError: engine-push-failed.
            UnavailableError: deadline-passed; engine-timeout.
            UnsupportedError: podman-token-push.
        """
        query = {"destination": str(destination), "quiet": "true", **self._tls(destination.registry)}
        credential = self._credentials(destination)
        if credential is not None and credential.identity_token:
            raise _no_token(destination)
        path = f"/images/{image_id}/push"
        told = self._transfer(path, query, credential=credential, deadline=deadline, subject=destination)
        if isinstance(told, dict) and (told.get("error") or told.get("message")):
            raise _failed("push", destination, told=told, credential=credential)

    def _transfer(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        credential: Credential | None,
        deadline: float | None,
        subject: Reference,
    ) -> t.Any:
        from ..wire.credentials import daemon_login

        headers = {"X-Registry-Auth": daemon_login(credential)}
        expect = (200, 201, 400, 500)
        timeout = _NO_DEADLINE_SECONDS if deadline is None else max(deadline, 0.001)
        try:
            return self._api.request("POST", path, query=query, headers=headers, expect=expect, timeout=timeout)[1]
        except UnavailableError as error:
            if error.code != "engine-timeout" or deadline is None:
                raise
            raise deadline_passed(str(subject)) from error

    def _tls(self, registry: str) -> dict[str, str]:
        from ..wire.registry_settings import hostname, is_loopback

        if self._validate_certs is not None:
            return {"tlsVerify": "true" if self._validate_certs else "false"}
        return {"tlsVerify": "false"} if is_loopback(hostname(registry)) else {}


def _failed(verb: str, subject: Reference, *, told: t.Any, credential: Credential | None) -> PeerError:
    from ..wire.redact import redact

    words = told if isinstance(told, dict) else {}
    said = str(words.get("error") or words.get("message") or "it did not say why")
    code = "engine-pull-failed" if verb == "pull" else "engine-push-failed"
    return PeerError(
        f"podman could not {verb} {subject}",
        code=code,
        why=redact(said, credential.secrets if credential is not None else ()),
        fix="Check the name, the credentials, and that the host reaches the registry",
        subject=str(subject),
    )


def _no_token(destination: Reference) -> UnsupportedError:
    return UnsupportedError(
        f"podman cannot push to {destination.registry} with an identity token",
        code="podman-token-push",
        why="its API takes a user name and a password for pushes",
        fix="Give username and password for this registry",
        subject=str(destination),
    )
