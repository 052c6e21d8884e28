# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds by a Docker daemon that is reached over TLS: BuildKit's client gets the same files, by its environment."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import (
    EngineConnection,
    EngineEndpoint,
    EngineTls,
)
from ansible_collections.fleet.images.tests.support.build_contexts import context_of
from ansible_collections.fleet.images.tests.support.certificates import make_certificates, make_client_certificate
from ansible_collections.fleet.images.tests.support.docker_engine import builds_of
from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "engine.example.com"


class Reached(t.NamedTuple):
    """Where a daemon listens with TLS, and how to speak with it."""

    host: str
    tls: EngineTls


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    folder = tmp_path_factory.mktemp("tls")
    number = os.getpid()  # all of 127.0.0.0/8 is this machine: an address that no other test listens at
    host = f"127.{20 + (number >> 16) % 70}.{number >> 8 & 255}.{number & 255}"
    made = make_certificates(folder, names=[f"IP:{host}", f"DNS:{NAME}"])
    shown, key = make_client_certificate(folder)
    arguments = ["-H", f"tcp://{host}:2376", "--tlsverify", "--tlscacert", str(made.authority)]
    arguments += ["--tlscert", str(made.server), "--tlskey", str(made.server_key)]
    with start_dockerd(folder / "dockerd", arguments=arguments):
        yield Reached(host, EngineTls(str(made.authority), str(shown), str(key)))


def engine_with(endpoint: EngineEndpoint, tls: EngineTls) -> DockerEngine:
    return DockerEngine(
        lambda: EngineConnection(endpoint, timeout=60, tls=tls),
        place=str(endpoint),
        api_version="auto",
        credentials=lambda reference: None,
    )


@pytest.mark.parametrize("needs_buildkit", [False, True])
@pytest.mark.parametrize("changed", [{}, {"validate_certs": False, "hostname": "of-no-importance.example.com"}])
def test_a_daemon_that_is_reached_over_tls_builds(
    reached: Reached, changed: dict[str, t.Any], needs_buildkit: bool
) -> None:
    engine = engine_with(EngineEndpoint("https", reached.host), reached.tls._replace(**changed))
    order = BuildOrder("Dockerfile", needs_buildkit=needs_buildkit)
    assert builds_of(engine).lacks(order) == ()
    built = builds_of(engine).build(order, context=context_of({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}))
    assert built.builder == ("BuildKit" if needs_buildkit else "classic builder")
    assert str(built.identity.config_digest) in {image.id for image in engine.observe().images}
    engine.close()


def test_a_name_that_no_client_can_be_told_is_lacking_for_buildkit_alone(reached: Reached) -> None:
    engine = engine_with(EngineEndpoint("tcp", reached.host, 2376), reached.tls._replace(hostname=NAME))
    assert builds_of(engine).lacks(BuildOrder("Dockerfile")) == ()
    assert [
        row.partition(":")[0] for row in builds_of(engine).lacks(BuildOrder("Dockerfile", needs_buildkit=True))
    ] == ["dockerfile"]
    engine.close()
