# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What instructions do to an image's config: everything but files.

Source: moby image spec v1.2 ("config"), OCI image-spec v1.1 config.md; Dockerfile reference. Healthcheck, Shell and
OnBuild are Docker's additions to the OCI config and are kept, as BuildKit does.
"""

from __future__ import annotations

import json
import posixpath
import re
import typing as t

from .healthcheck import healthcheck_json
from .words import WordError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..model.image_config import ImageConfig
    from .parser import Instruction
    from .scope import Scope

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULT_SHELL = ["/bin/sh", "-c"]
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)


class Settings:
    """The config of a stage while it is built: ``values`` by Docker's keys, without Env, which the scope holds."""

    def __init__(self, values: Mapping[str, t.Any]) -> None:
        self.values: dict[str, t.Any] = {key: value for key, value in values.items() if key != "Env"}
        self.author = ""
        self._has_own_command = False

    @property
    def folder(self) -> str:
        """The working folder, an absolute path."""
        return posixpath.join("/", self.values.get("WorkingDir") or "")

    def take_triggers(self) -> list[str]:
        """Return the ONBUILD triggers and forget them: they run once, in the first child."""
        return list(self.values.pop("OnBuild", None) or [])

    def apply(self, instruction: Instruction, scope: Scope) -> None:
        """Take in one instruction that is none of FROM, RUN, ARG, COPY and ADD.

        Raises:
            WordError: a word is malformed, or is no port, path …
        """
        _EFFECTS[instruction.name](self, instruction, scope)

    def to_json(self, env: Mapping[str, str]) -> dict[str, t.Any]:
        """Return the ``config`` object; what is empty is left out."""
        values = {**self.values, "Env": [f"{name}={value}" for name, value in env.items()]}
        return {key: value for key, value in values.items() if value or value is False}

    def _env(self, instruction: Instruction, scope: Scope) -> None:
        scope.env.update(scope.expanded_pairs(instruction))

    def _label(self, instruction: Instruction, scope: Scope) -> None:
        self.values["Labels"] = {**(self.values.get("Labels") or {}), **scope.expanded_pairs(instruction)}

    def _command(self, instruction: Instruction, scope: Scope) -> None:
        self.values["Cmd"] = self._exec_form(instruction)
        self._has_own_command = True

    def _entrypoint(self, instruction: Instruction, scope: Scope) -> None:
        self.values["Entrypoint"] = self._exec_form(instruction)
        if not self._has_own_command:
            # The base's Cmd are arguments of the base's Entrypoint.
            self.values.pop("Cmd", None)

    def _exec_form(self, instruction: Instruction) -> list[str]:
        if instruction.is_json:
            return list(instruction.words)
        return [*(self.values.get("Shell") or _DEFAULT_SHELL), *instruction.words]

    def _expose(self, instruction: Instruction, scope: Scope) -> None:
        ports = [port for word in instruction.words for text in scope.expand(word).split() for port in _ports(text)]
        self.values["ExposedPorts"] = {**(self.values.get("ExposedPorts") or {}), **{port: {} for port in ports}}

    def _volume(self, instruction: Instruction, scope: Scope) -> None:
        paths = [scope.expand(word).strip() for word in instruction.words]
        if not all(paths):
            raise WordError("VOLUME needs a path that is not empty")
        self.values["Volumes"] = {**(self.values.get("Volumes") or {}), **{path: {} for path in paths}}

    def _user(self, instruction: Instruction, scope: Scope) -> None:
        self.values["User"] = scope.expand(instruction.words[0])

    def _workdir(self, instruction: Instruction, scope: Scope) -> None:
        joined = posixpath.join(self.folder, scope.expand(instruction.words[0]))
        self.values["WorkingDir"] = "/" + posixpath.normpath(joined).lstrip("/")

    def _stopsignal(self, instruction: Instruction, scope: Scope) -> None:
        self.values["StopSignal"] = scope.expand(instruction.words[0])

    def _healthcheck(self, instruction: Instruction, scope: Scope) -> None:
        self.values["Healthcheck"] = healthcheck_json(instruction.flags, instruction.words, is_json=instruction.is_json)

    def _shell(self, instruction: Instruction, scope: Scope) -> None:
        self.values["Shell"] = list(instruction.words)

    def _onbuild(self, instruction: Instruction, scope: Scope) -> None:
        self.values["OnBuild"] = [*(self.values.get("OnBuild") or []), instruction.trigger]

    def _maintainer(self, instruction: Instruction, scope: Scope) -> None:
        self.author = instruction.words[0]


_EFFECTS: Mapping[str, Callable[[Settings, Instruction, Scope], None]] = {
    "CMD": Settings._command,
    "ENTRYPOINT": Settings._entrypoint,
    "ENV": Settings._env,
    "EXPOSE": Settings._expose,
    "HEALTHCHECK": Settings._healthcheck,
    "LABEL": Settings._label,
    "MAINTAINER": Settings._maintainer,
    "ONBUILD": Settings._onbuild,
    "SHELL": Settings._shell,
    "STOPSIGNAL": Settings._stopsignal,
    "USER": Settings._user,
    "VOLUME": Settings._volume,
    "WORKDIR": Settings._workdir,
}


def base_settings(config: ImageConfig | None) -> tuple[Settings, dict[str, str]]:
    """Return settings and environment that a stage on the image with ``config`` starts with (None: from nothing).

    Raises:
        PeerError: the config is malformed.
    """
    fields = config.fields.optional_object("config") if config is not None else None
    pairs = [row.partition("=") for row in fields.texts("Env")] if fields is not None else []
    env = {name: value for name, _sign, value in pairs}
    env.setdefault("PATH", _DEFAULT_PATH)
    # A deep copy: the stage changes lists and maps in it.
    settings = Settings(json.loads(json.dumps(dict(fields.values))) if fields is not None else {})
    settings.author = config.fields.optional_text("author") if config is not None else ""
    return settings, env


def _ports(text: str) -> list[str]:
    match = _PORT.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or first) if match else -1
    if match is None or not 0 < first <= last <= 65535:
        raise WordError(f"{text!r} is no port: write 80, 80/udp or 8000-8010/tcp")
    return [f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)]
