# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log-ins that a docker client finds while it builds: those of some registries, in the words that it knows."""

from __future__ import annotations

import json
import typing as t
from base64 import b64encode

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker_api import DockerApi
from ansible_collections.fleet.images.plugins.module_utils.engines.docker_buildkit import BuildKitClient
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import EngineConnection, EngineEndpoint
from ansible_collections.fleet.images.plugins.module_utils.wire.time_limit import TimeLimit
from ansible_collections.fleet.images.tests.support.build_contexts import context_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference

IMAGE = f"sha256:{'5' * 64}"
# What it finds in its folder of settings, and beside the Dockerfile, it tells in ``seen``.
CLIENT = f"""#!/bin/sh
cat "$DOCKER_CONFIG/config.json" >{{seen}}/config 2>/dev/null
ls -A "$DOCKER_CONFIG" >{{seen}}/folder
for word; do
  case "$word" in
    --iidfile=*) echo {IMAGE} >"${{{{word#*=}}}}" ;;
    --file=/*) ls -A "$(dirname "${{{{word#*=}}}}")" >{{seen}}/beside ;;
  esac
done
cat >/dev/null
"""


class Client(t.NamedTuple):
    """A program in the place of docker's client; ``seen`` is what it tells."""

    program: Path
    seen: Path

    def build(self, order: BuildOrder, credentials: dict[str, Credential]) -> dict[str, t.Any]:
        """Build, and return the settings that the client found; ``credentials`` are for "REGISTRY/PATH"."""

        def find(reference: Reference) -> Credential | None:
            return credentials.get(reference.repository)

        endpoint = EngineEndpoint.parse("unix:///nowhere/docker.sock")
        api = DockerApi(lambda: EngineConnection(endpoint, timeout=1), version="1.41")
        client = BuildKitClient(str(self.program), False, api, find)
        context = context_of({"Dockerfile": "FROM scratch\n"})(hidden_by="")
        assert client.build(order, context=context, limit=TimeLimit(60, subject="the build")) == IMAGE
        text = (self.seen / "config").read_text(encoding="utf-8")
        return t.cast("dict[str, t.Any]", json.loads(text)) if text else {}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    program = tmp_path / "docker"
    program.write_text(CLIENT.format(seen=tmp_path), encoding="utf-8")
    program.chmod(0o755)
    return Client(program, tmp_path)


def basic(text: str) -> dict[str, str]:
    return {"auth": b64encode(text.encode()).decode()}


def test_the_client_finds_the_log_ins_of_caches_and_of_the_syntax_alone(client: Client) -> None:
    credentials = {
        "docker.io/docker/dockerfile": Credential("hub", "pass:word"),
        "r.test:5000/team/a": Credential("\u00fcser", "first"),
        "r.test:5000/team/b": Credential("other", "second"),
        "token.test/a": Credential("ignored", "ignored", "a-token"),
        "unused.test/a": Credential("unused", "unused"),
    }
    caches = ("r.test:5000/none/c:1", "r.test:5000/team/a:1", "r.test:5000/team/b:1", "token.test/a:1", "open.test/a:1")
    order = BuildOrder("Dockerfile", cache_from=caches, syntax="docker/dockerfile:1 --more words")
    assert client.build(order, credentials) == {
        "auths": {
            "https://index.docker.io/v1/": basic("hub:pass:word"),
            "r.test:5000": basic("\u00fcser:first"),
            "token.test": {"identitytoken": "a-token"},
        }
    }


def test_without_log_ins_the_client_finds_no_settings(client: Client) -> None:
    assert client.build(BuildOrder("Dockerfile", cache_from=("open.test/a:1",)), {}) == {}


def test_nothing_lies_beside_a_dockerfile_that_the_client_gets_as_a_file(client: Client) -> None:
    order = BuildOrder("Dockerfile", cache_from=("r.test/a:1",), takes_dockerfile=True)
    assert client.build(order, {"r.test/a": Credential("user", "word")})
    beside = (client.seen / "beside").read_text(encoding="utf-8").split()
    assert beside == ["Dockerfile", "Dockerfile.dockerignore"]
    assert "config.json" in (client.seen / "folder").read_text(encoding="utf-8").split()


def test_a_syntax_that_names_no_image_is_told(client: Client) -> None:
    with pytest.raises(InputError):
        client.build(BuildOrder("Dockerfile", syntax="No:Image"), {})
