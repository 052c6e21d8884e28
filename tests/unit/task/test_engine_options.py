# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an engine is reached: what the task says, then the environment of the host, then what is usual."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.task.engine_options import (
    containerd_options,
    docker_options,
    podman_options,
)
from ansible_collections.fleet.images.plugins.module_utils.task.option_problems import ignored_tls
from ansible_collections.fleet.images.tests.unit.task import params

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ansible_collections.fleet.images.plugins.module_utils.task.engine_options import DockerOptions

TCP, HTTPS = "tcp://192.0.2.1:2376", "https://engine.test:2376"


def docker(environ: Mapping[str, str] | None = None, **given: t.Any) -> DockerOptions:
    return docker_options(params.common(**given), environ or {})


def options_of(**given: t.Any) -> DockerOptions:
    return docker(None, **given)


def test_without_a_word_docker_is_its_usual_socket() -> None:
    options = docker()
    assert (options.address, options.api_version, options.timeout) == ("unix:///var/run/docker.sock", "auto", 60)
    assert (options.uses_tls, options.ca_path, options.client_cert, options.client_key) == (False, "", "", "")


def test_the_environment_speaks_where_the_task_is_silent() -> None:
    environ = {
        "DOCKER_HOST": TCP,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_TLS_HOSTNAME": "engine.test",
        "DOCKER_API_VERSION": "1.41",
        "DOCKER_TIMEOUT": "7",
    }
    options = docker(environ)
    assert (options.address, options.hostname, options.api_version, options.timeout) == (TCP, "engine.test", "1.41", 7)
    assert (options.uses_tls, options.validate_certs) == (True, True)
    given: dict[str, t.Any] = {"docker_host": "unix:///d.sock", "tls_hostname": "own.test", "api_version": "1.30"}
    options = docker(environ, timeout=3, validate_certs=False, **given)
    assert (options.address, options.hostname, options.api_version) == ("unix:///d.sock", "own.test", "1.30")
    assert (options.timeout, options.uses_tls) == (3, False)


def test_an_empty_variable_says_nothing() -> None:
    assert docker(dict.fromkeys(("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TIMEOUT", "DOCKER_CERT_PATH"), "")) == docker()


@pytest.mark.parametrize(
    ("address", "given", "uses_tls", "validates"),
    [
        (TCP, {}, False, False),
        (TCP, {"tls": True}, True, False),
        (TCP, {"tls": True, "validate_certs": True}, True, True),
        (TCP, {"validate_certs": True}, True, True),
        (TCP, {"tls": False, "validate_certs": False}, False, False),
        (HTTPS, {}, True, True),
        (HTTPS, {"validate_certs": False}, True, False),
        (HTTPS, {"tls": True}, True, False),
        ("unix:///d.sock", {"tls": True, "validate_certs": True}, False, True),
    ],
)
def test_tls_is_what_community_docker_means_by_it(
    address: str, given: dict[str, bool], uses_tls: bool, validates: bool
) -> None:
    options = options_of(docker_host=address, **given)
    assert (options.uses_tls, options.validate_certs) == (uses_tls, validates)


def test_a_folder_of_certificates_gives_the_files_it_has(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (tmp_path / "cert.pem").touch()
    environ = {"DOCKER_CERT_PATH": str(tmp_path)}
    options = docker(environ, docker_host=HTTPS, client_cert="/own.pem", client_key="/k.pem")
    assert options.ca_path == str(tmp_path / "ca.pem")
    assert (options.client_cert, options.client_key) == ("/own.pem", "/k.pem")
    assert docker(environ).client_key == ""


@pytest.mark.parametrize("option", ["ca_path", "tls_hostname"])
def test_files_of_tls_without_tls_are_told(option: str) -> None:
    with pytest.raises(InputError) as caught:
        options_of(docker_host="tcp://me:secret@192.0.2.1", **{option: "/etc/it"})
    assert (caught.value.subject, "secret" in str(caught.value.to_json())) == (option, False)
    assert options_of(docker_host="unix:///d.sock", **{option: "/etc/it"}).uses_tls is False


def test_variables_that_cannot_be_read_are_told_by_their_names() -> None:
    with pytest.raises(InputError) as caught:
        docker({"DOCKER_TLS": "perhaps", "DOCKER_TLS_VERIFY": "so", "DOCKER_TIMEOUT": "long"})
    found = [problem.path for problem in caught.value.problems]
    assert found == ["DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_TIMEOUT"]
    assert docker({"DOCKER_TLS": "perhaps", "DOCKER_TIMEOUT": "0"}, tls=True, timeout=5).timeout == 5


def test_podman_is_started_for_the_task_unless_it_is_told_where_it_listens() -> None:
    assert podman_options(params.common(), {"DOCKER_HOST": TCP}) == ("", "podman", 60)
    assert podman_options(params.common(), {"CONTAINER_HOST": "unix:///p.sock"}).address == "unix:///p.sock"
    given = params.common(docker_host="unix:///own.sock", executable="/opt/podman", timeout=9)
    assert podman_options(given, {"CONTAINER_HOST": "unix:///p.sock"}) == ("unix:///own.sock", "/opt/podman", 9)


def test_containerd_has_a_socket_and_a_namespace() -> None:
    usual = ("/run/containerd/containerd.sock", "default", "ctr", 60)
    assert tuple(containerd_options(params.common(), {"DOCKER_HOST": TCP})) == usual
    environ = {"CONTAINERD_ADDRESS": "/run/c.sock", "CONTAINERD_NAMESPACE": "k8s.io"}
    assert containerd_options(params.common(), environ)[:2] == ("/run/c.sock", "k8s.io")
    given = params.common(containerd_address="/own.sock", namespace="moby", executable="/opt/ctr", timeout=2)
    assert tuple(containerd_options(given, environ)) == ("/own.sock", "moby", "/opt/ctr", 2)


@pytest.mark.parametrize("read", [podman_options, containerd_options])
def test_a_time_that_is_none_is_told_for_every_engine(read: t.Callable[..., object]) -> None:
    with pytest.raises(InputError) as caught:
        read(params.common(), {"DOCKER_TIMEOUT": "-1"})
    assert caught.value.subject == "DOCKER_TIMEOUT"


def test_options_of_tls_that_play_no_part_are_told() -> None:
    assert ignored_tls(params.common()) == ""
    assert ignored_tls(params.common(validate_certs=True), address=TCP) == ""
    told = ignored_tls(params.common(validate_certs=False), address="unix:///d.sock")
    assert told.startswith("validate_certs is about") and "registry_validate_certs" in told
    assert ignored_tls(params.common(tls=True, ca_path="/ca")).startswith("tls, ca_path are about")
