# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker daemon on the network that knows its clients by their certificates, and what modules say to wrong ones."""

from __future__ import annotations

import os
import shutil
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.certificates import make_certificates, make_client_certificate
from ansible_collections.fleet.images.tests.support.dockerd import Dockerd, start_dockerd
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost
from ansible_collections.fleet.images.tests.support.images import make_image

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

_NAME = "engine.example.com"


class Reached(t.NamedTuple):
    """A daemon at "HOST:2376", and the files of a client that it knows; ``folder`` is a DOCKER_CERT_PATH."""

    daemon: Dockerd
    host: str
    folder: Path
    strange: Path

    def files(self) -> dict[str, str]:
        """Return the options with the client's files."""
        return files(self.folder)


class RemoteDocker(DockerHost):
    """A host whose modules reach its daemon by ``settings`` and ``environment`` alone."""

    def __init__(
        self, daemon: Dockerd, settings: Mapping[str, t.Any], environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(daemon)
        self._settings = settings
        self._environment = dict(environment or {})

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {"engine": "docker", "retry": 0, **self._settings, **params}

    def surroundings(self) -> dict[str, str]:
        return self._environment


def files(folder: Path) -> dict[str, str]:
    """Return the options of TLS with the files of a folder like DOCKER_CERT_PATH."""
    options = {"ca_path": "ca.pem", "client_cert": "cert.pem", "client_key": "key.pem"}
    return {option: str(folder / name) for option, name in options.items()}


def client_folder(folder: Path) -> Path:
    """Return a folder like DOCKER_CERT_PATH with a client certificate of the authority in ``folder``."""
    made, (shown, key) = folder / "client", make_client_certificate(folder)
    made.mkdir()
    for source, name in ((folder / "ca.crt", "ca.pem"), (shown, "cert.pem"), (key, "key.pem")):
        shutil.copy(source, made / name)
    return made


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    folder = tmp_path_factory.mktemp("tls")
    number = os.getpid()  # all of 127.0.0.0/8 is this machine: an address that no other test listens at
    host = f"127.{100 + (number >> 16) % 100}.{number >> 8 & 255}.{number & 255}"
    known = make_certificates(folder / "known", names=[f"IP:{host}", f"DNS:{_NAME}"])
    make_certificates(folder / "strange")
    arguments = ["-H", f"tcp://{host}:2376", "--tlsverify", "--tlscacert", str(known.authority)]
    arguments += ["--tlscert", str(known.server), "--tlskey", str(known.server_key)]
    with start_dockerd(folder / "dockerd", arguments=arguments) as daemon:
        yield Reached(daemon, host, client_folder(folder / "known"), client_folder(folder / "strange"))


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("https://{}:2376", {}),
        ("https://{}", {"tls_hostname": _NAME}),
        ("tcp://{}", {"validate_certs": True}),
        ("tcp://{}:2376", {"tls": True}),
        ("https://{}:2376", {"validate_certs": False, "tls_hostname": "of-no-importance.example.com"}),
    ],
)
def test_modules_work_over_tls_as_over_a_socket(
    reached: Reached, repository: Repository, address: str, options: dict[str, t.Any]
) -> None:
    image = make_image({"v": b"1"})
    repository.push("1", image)
    host = RemoteDocker(reached.daemon, {"docker_host": address.format(reached.host), **options, **reached.files()})
    host.settle("image_pull", name=f"{repository}:1")
    host.settle("image_tag", name=f"{repository}:1", repository=["local/app:a"])
    assert host.images() == {f"{repository}:1": image.config.digest, "docker.io/local/app:a": image.config.digest}
    pushed = {"name": f"{repository}:1", "repository": [f"{repository}:pushed"]}
    assert host.do("image_push", **pushed)["changed"] is True
    host.rest("image_push", **pushed)
    assert repository.digest("pushed")
    host.settle("image_rmi", name=[f"{repository}:1", "local/app:a", f"{repository}:pushed"])
    assert host.images() == {}


@pytest.mark.parametrize("engine", ["docker", "auto"])
def test_the_variables_of_dockers_client_are_enough(reached: Reached, repository: Repository, engine: str) -> None:
    image = make_image({"v": b"1"})
    repository.push("1", image)
    environment = {"DOCKER_HOST": f"tcp://{reached.host}:2376", "DOCKER_CERT_PATH": str(reached.folder)}
    host = RemoteDocker(reached.daemon, {"engine": engine}, {**environment, "DOCKER_TLS_VERIFY": "1"})
    host.settle("image_pull", name=f"{repository}:1")
    assert host.images() == {f"{repository}:1": image.config.digest}


def refused(reached: Reached, address: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the error of a module that cannot reach the daemon."""
    host = RemoteDocker(reached.daemon, {"docker_host": address.format(reached.host)})
    return host.refuse("image_pull", name="example.com/app:1", **options)


def test_an_authority_that_did_not_sign_the_daemons_certificate_is_told_with_the_option(reached: Reached) -> None:
    for options in ({}, {"ca_path": str(reached.strange / "ca.pem")}):
        error = refused(reached, "https://{}:2376", **{**reached.files(), "ca_path": None, **options})
        assert (error["class"], error["code"]) == ("AuthError", "engine-tls")
        assert "ca_path" in error["fix"]
        assert reached.host in error["what"]


def test_a_name_that_the_certificate_does_not_bear_is_told(reached: Reached) -> None:
    error = refused(reached, "https://{}:2376", **reached.files(), tls_hostname="other.example.com")
    assert (error["code"], "tls_hostname" in error["fix"]) == ("engine-tls", True)
    assert "other.example.com" in error["why"]


def test_a_daemon_that_refuses_the_client_is_told_with_the_options(reached: Reached) -> None:
    for client in ({}, {**files(reached.strange), "ca_path": None}):
        error = refused(reached, "https://{}:2376", **{**client, "ca_path": str(reached.folder / "ca.pem")})
        assert error["code"] == "engine-tls"
        assert "client_cert" in error["fix"]


def test_a_daemon_that_wants_tls_is_told_to_who_comes_without(reached: Reached) -> None:
    error = refused(reached, "tcp://{}:2376")
    assert (error["class"], error["code"]) == ("UnsupportedError", "engine-mismatch")
    assert "validate_certs" in error["fix"]
    assert reached.host in error["msg"]


def test_tls_where_there_is_none_is_told(reached: Reached, repository: Repository) -> None:
    error = refused(reached, f"https://{repository.registry.host}")
    assert error["code"] == "engine-tls"
    assert "tcp://" in error["fix"]


def test_files_that_cannot_be_used_are_named(reached: Reached) -> None:
    absent = reached.folder / "absent.pem"
    for option in reached.files():
        error = refused(reached, "https://{}:2376", **{**reached.files(), option: str(absent)})
        assert (error["class"], error["code"]) == ("InputError", "bad-tls-files")
        assert str(absent) in error["why"]
    swapped = {**reached.files(), "client_key": str(reached.strange / "key.pem")}
    error = refused(reached, "https://{}:2376", **swapped)
    assert (error["code"], error["subject"]) == ("bad-tls-files", "client_cert")
    assert str(reached.strange / "key.pem") in error["why"]


def test_a_version_of_the_api_can_be_pinned(reached: Reached) -> None:
    address = {"docker_host": f"https://{reached.host}:2376", **reached.files()}
    assert RemoteDocker(reached.daemon, {**address, "api_version": "1.40"}).do("image_info")["images"] == []
    assert refused(reached, **{"address": "https://{}:2376", **reached.files(), "api_version": "9.9"})["code"] == (
        "engine-too-old"
    )
