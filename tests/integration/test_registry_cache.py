# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role registry_cache: real docker-registry and nginx, started by the unit that the role wrote, as its user."""

from __future__ import annotations

import base64
import json
import shlex
import ssl
import subprocess
import tempfile
import time
import typing as t
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from ansible_collections.fleet.images.tests.support.certificates import Certificates, make_certificates
from ansible_collections.fleet.images.tests.support.images import OCI_MANIFEST, MadeImage, make_image, push, request
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook
from ansible_collections.fleet.images.tests.support.programs import free_port, is_listening, require, serve
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.registry import Registry, start_registry

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("registry", "nginx")
MIB = 1 << 20
SELF_TEST = "Fetch images through the cache and compare every byte"


class Cache:
    """A cache below ``folder``, as the role sets it up for ``upstream`` with further variables of the role."""

    def __init__(self, kind: str, folder: Path, *, upstream: str, **variables: t.Any) -> None:
        require("nginx" if kind == "nginx" else "docker-registry", "setpriv", "openssl")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.kind, self.folder, self.data, self.port = kind, folder, folder / "data", free_port()
        self.variables = {
            "registry_cache_kind": kind,
            "registry_cache_upstream": upstream,
            "registry_cache_address": "127.0.0.1",
            "registry_cache_port": self.port,
            "registry_cache_packages": [],
            "registry_cache_retry_seconds": 1,
            "registry_cache_weigh_seconds": 1,
            "registry_cache_access_log": str(folder / "access.log"),
            "registry_cache_config_directory": str(folder / "etc"),
            "registry_cache_data_directory": str(self.data),
            "registry_cache_program_directory": str(folder / "lib"),
            "registry_cache_unit_directory": str(folder),
            "registry_cache_service_manager": "none",
            **variables,
        }

    @property
    def registry(self) -> Registry:
        """Return the cache as clients see it: no accounts; its authority lies in "ca" if it speaks TLS."""
        scheme, certificates = "http", None
        if "registry_cache_certificate" in self.variables:
            scheme, certificates = "https", make_certificates(self.folder / "ca")
        host = f"127.0.0.1:{self.port}"
        return Registry(host, f"{scheme}://{host}", self.data, self.log, users={}, certificates=certificates)

    @property
    def log(self) -> Path:
        """Return what the server wrote to its output."""
        return self.folder / "server.log"

    def apply(self, *, entry: str = "main", arguments: t.Sequence[str] = ()) -> PlaybookRun:
        """Run the role, or another entry of it."""
        role = {"name": "fleet.images.registry_cache", "tasks_from": entry}
        task = {"name": "Use the role", "ansible.builtin.include_role": role, "vars": self.variables}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        return run_playbook(
            [play], self.folder / "play", arguments=arguments, environment={"ANSIBLE_PIPELINING": "true"}
        )

    def set_up(self) -> Cache:
        """Run the role, and return this cache; raises ``AssertionError`` with the output when it fails."""
        done = self.apply()
        assert done.returncode == 0, done.output
        return self

    def unit(self, key: str) -> list[str]:
        """Return the values that the unit has for a key."""
        lines = (self.folder / "registry-cache.service").read_text(encoding="utf-8").splitlines()
        return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        """Do what a service manager does with the unit, until the block ends."""
        for before in self.unit("ExecStartPre"):
            subprocess.run(shlex.split(before), check=True)
        switch = [["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] for user in self.unit("User")]
        command = [*(switch[0] if switch else []), *shlex.split(self.unit("ExecStart")[0])]
        with serve(command, log=self.log, is_ready=lambda: is_listening(self.port)) as server:
            yield server

    def probe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the self-test's program against the running cache."""
        store = ["--store", str(self.data)] if self.kind == "registry" else []
        program = ["/usr/bin/python3", str(self.folder / "lib" / "probe.py"), "--url", self.registry.url, *store]
        return subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120, check=False)

    def fetch(self, repository: str, image: MadeImage) -> None:
        """Pull an image by digest with a plain client; raises ``AssertionError`` on wrong bytes or a wrong answer."""
        fetch(self.registry, repository, image)

    def wait_until(self, condition: Callable[[], bool], *, patience: float = 60) -> None:
        """Wait for ``condition``; raises ``AssertionError`` with the server's log when it does not come to hold."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text(encoding="utf-8")[-4000:]
            time.sleep(0.05)


def fetch(registry: Registry, repository: str, image: MadeImage) -> None:
    """Pull an image by digest with a plain client; raises ``AssertionError`` on wrong bytes or a wrong answer."""
    accept = {"Accept": image.manifest.media_type}
    answer = request(registry, "GET", f"/v2/{repository}/manifests/{image.digest}", headers=accept)
    assert answer.body == image.manifest.data
    for blob in (image.config, *image.layers):
        assert request(registry, "GET", f"/v2/{repository}/blobs/{blob.digest}").body == blob.data


@contextmanager
def serving_at(port: int, data: Path, folder: Path) -> Iterator[None]:
    """Serve a registry's data at a port of the caller's choice until the block ends."""
    settings = folder / "origin.yml"
    storage = {"filesystem": {"rootdirectory": str(data)}}
    settings.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}}))
    environment = {"OTEL_TRACES_EXPORTER": "none"}
    command = ["docker-registry", "serve", str(settings)]
    with serve(command, log=folder / "origin.log", is_ready=lambda: is_listening(port), environment=environment):
        yield


@contextmanager
def serving(
    answering: type[BaseHTTPRequestHandler], *, certificates: Certificates | None = None
) -> Iterator[ThreadingHTTPServer]:
    """Serve with a class of answers on a free loopback port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    server.daemon_threads = True
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server, certificates.server_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def public() -> Iterator[Path]:
    """Yield a folder that every account may enter, as those of services may enter /etc and /var."""
    with tempfile.TemporaryDirectory(prefix="registry-cache-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_role_sets_up_a_cache_that_passes_its_self_test_and_changes_nothing_again(
    kind: str, public: Path, registry: Registry
) -> None:
    image = make_image(layers=2, random_bytes=MIB)
    push(registry, "team/app", image, tag="1")
    with CountingProxy(registry.url) as origin:
        cache = Cache(kind, public, upstream=origin.url, registry_cache_selftest_images=[f"team/app@{image.digest}"])
        announced = cache.apply(arguments=["--check"])
        assert announced.returncode == 0, announced.output
        assert not (public / "etc").exists()
        cache.set_up()
        again = cache.apply()
        assert [row.task for row in again.results if row.changed] == []
        with cache.started():
            assert cache.apply(entry="health").returncode == 0
            tested = cache.apply(entry="selftest")
            assert tested.returncode == 0, tested.output
            told = json.loads(tested.of(f"fleet.images.registry_cache : {SELF_TEST}").result["stdout"])
            assert told["bytes"] == sum(len(b.data) for b in (image.manifest, image.config, *image.layers))
            assert told["fetched"] in (None, told["bytes"] - len(image.manifest.data))
            origin.reset()
            cache.fetch("team/app", image)
            assert origin.bytes_sent(path="/blobs/|/manifests/") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_that_starts_while_the_origin_is_away_serves_what_it_holds_and_goes_on_when_it_is_back(
    kind: str, public: Path, tmp_path: Path
) -> None:
    held, late = make_image(layers=2, random_bytes=1000, seed=1), make_image(layers=2, random_bytes=1000, seed=2)
    with start_registry(tmp_path / "origin") as registry:
        push(registry, "team/app", held, tag="1")
        push(registry, "team/app", late, tag="2")
    port = free_port()
    cache = Cache(kind, public, upstream=f"http://127.0.0.1:{port}").set_up()
    accept = {"Accept": held.manifest.media_type}
    with cache.started():
        with serving_at(port, registry.data, tmp_path):
            cache.wait_until(lambda: _status(cache, "/v2/team/app/manifests/1") == 200)
            request(cache.registry, "GET", "/v2/", accept_status=(200,))
            assert cache.probe(f"team/app@{held.digest}").returncode == 0
    with cache.started():
        assert _status(cache, "/v2/") == 200
        cache.fetch("team/app", held)
        by_tag = request(cache.registry, "GET", "/v2/team/app/manifests/1", headers=accept)
        assert by_tag.body == held.manifest.data
        assert _status(cache, f"/v2/team/app/blobs/{late.layers[0].digest}") in (404, 502)
        with serving_at(port, registry.data, tmp_path):
            blob = f"/v2/team/app/blobs/{late.layers[0].digest}"
            cache.wait_until(lambda: is_listening(cache.port) and _status(cache, blob) == 200)
            cache.fetch("team/app", late)


@pytest.mark.parametrize("kind", KINDS)
def test_it_logs_in_upstream_and_speaks_tls_and_tells_nobody_the_password(kind: str, public: Path) -> None:
    image = make_image(layers=2, random_bytes=1000)
    # nginx compares the names of hosts in certificates, not addresses.
    own = make_certificates(public / "ca", names=("IP:127.0.0.1", "DNS:127.0.0.1"))
    with serving(_WithTokens if kind == "registry" else _WithPassword, certificates=own) as registry:
        registry.image, registry.asked = image, []  # type: ignore[attr-defined]
        cache = Cache(
            kind,
            public,
            upstream=f"https://127.0.0.1:{registry.server_address[1]}",
            registry_cache_upstream_ca=str(own.authority),
            registry_cache_username="reader",
            registry_cache_password="s3cret-word",
            registry_cache_certificate=str(own.server),
            registry_cache_certificate_key=str(own.server_key),
        )
        done = cache.apply(arguments=["-vvv", "--diff"])
        assert done.returncode == 0, done.output
        assert "s3cret-word" not in done.output
        with cache.started():
            cache.fetch("team/app", image)
        assert len({path for path in registry.asked if "/blobs/" in path}) == 3  # type: ignore[attr-defined]
    secrets = {b"s3cret-word", base64.b64encode(b"reader:s3cret-word")}
    holders = [path for path in (public / "etc").iterdir() if secrets & _words(path.read_bytes())]
    assert [(path.name, path.stat().st_mode & 0o777) for path in holders] == [
        ("account.conf" if kind == "nginx" else "online.yml", 0o600)
    ]
    assert (public / "etc" / "tls.key").stat().st_mode & 0o777 == 0o600
    assert "s3cret-word" not in cache.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("kind", "other"), [("nginx", "registry"), ("registry", "nginx")])
def test_an_account_is_refused_where_the_kind_cannot_log_in_with_it(kind: str, other: str, public: Path) -> None:
    account = {"registry_cache_username": "reader", "registry_cache_password": "s3cret-word"}
    with serving(_WithTokens if kind == "nginx" else _WithPassword) as registry:
        registry.asked = []  # type: ignore[attr-defined]
        refused = Cache(kind, public, upstream=f"http://127.0.0.1:{registry.server_address[1]}", **account).apply()
    assert refused.returncode != 0
    assert f"registry_cache_kind: {other}" in refused.output
    assert not (public / "etc").exists()


class Answering(BaseHTTPRequestHandler):
    """What the registries and blob stores of these tests have in common."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send one answer; in the names of headers a "_" stands for a "-"."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _WithPassword(Answering):
    challenge = 'Basic realm="tests"'
    accepted = "Basic " + base64.b64encode(b"reader:s3cret-word").decode()

    def do_GET(self) -> None:
        server: t.Any = self.server
        server.asked.append(self.path)
        if self.headers.get("Authorization") != self.accepted:
            self.answer(401, WWW_Authenticate=self.challenge)
        elif self.path == "/v2/":
            self.answer(200, b"{}")
        else:
            image: MadeImage = server.image
            held = {blob.digest: blob for blob in (image.manifest, image.config, *image.layers)}
            blob = held[self.path.rpartition("/")[2]]
            self.answer(200, blob.data, Content_Type=blob.media_type, Docker_Content_Digest=blob.digest)

    do_HEAD = do_GET


class _WithTokens(_WithPassword):
    accepted = "Bearer of-the-reader"

    def do_GET(self) -> None:
        if not self.path.startswith("/token"):
            self.challenge = f'Bearer realm="https://{self.headers["Host"]}/token",service="tests"'
            super().do_GET()
        elif self.headers.get("Authorization") == _WithPassword.accepted:
            self.answer(200, json.dumps({"token": "of-the-reader"}).encode(), Content_Type="application/json")
        else:
            self.answer(401)

    do_HEAD = do_GET


def _words(content: bytes) -> set[bytes]:
    return {word.strip(b'";') for word in content.split()}


def _serves(cache: Cache, repository: str, image: MadeImage) -> bool:
    paths = [f"manifests/{image.digest}", *(f"blobs/{blob.digest}" for blob in (image.config, *image.layers))]
    return all(_status(cache, f"/v2/{repository}/{path}") == 200 for path in paths)


def _status(cache: Cache, path: str) -> int:
    every = range(200, 600)
    try:
        return request(cache.registry, "GET", path, headers={"Accept": OCI_MANIFEST}, accept_status=every).status
    except OSError:
        return 0


@pytest.mark.parametrize("kind", KINDS)
def test_its_content_stays_within_its_limit(kind: str, public: Path, registry: Registry) -> None:
    images = [make_image(layers=1, random_bytes=MIB, seed=number) for number in range(6)]
    for number, image in enumerate(images):
        push(registry, f"team/app-{number}", image, tag="1")
    cache = Cache(kind, public, upstream=registry.url, registry_cache_max_size="4M").set_up()
    with cache.started():
        for number, image in enumerate(images):
            cache.wait_until(partial(_serves, cache, f"team/app-{number}", image))
        cache.wait_until(lambda: _content(cache) <= 4 * MIB and is_listening(cache.port))
        assert _content(cache) >= MIB
        cache.wait_until(lambda: _status(cache, "/v2/") == 200)
        for number, image in enumerate(images):
            cache.wait_until(partial(_serves, cache, f"team/app-{number}", image))


def _content(cache: Cache) -> int:
    folder = cache.data / ("content" if cache.kind == "nginx" else "docker")
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def test_what_docker_registry_wants_to_delete_after_a_week_is_still_served(public: Path, registry: Registry) -> None:
    image = make_image(layers=2, random_bytes=1000)
    push(registry, "team/app", image, tag="1")
    with CountingProxy(registry.url) as origin:
        cache = Cache("registry", public, upstream=origin.url).set_up()
        schedule = cache.data / "scheduler-state.json"
        with cache.started():
            assert cache.probe(f"team/app@{image.digest}").returncode == 0
            cache.wait_until(lambda: schedule.exists() and len(json.loads(schedule.read_text())) == 4)
        overdue = {
            name: {**entry, "ExpiryData": "2020-01-01T00:00:00Z"}
            for name, entry in json.loads(schedule.read_text(encoding="utf-8")).items()
        }
        schedule.write_text(json.dumps(overdue), encoding="utf-8")
        with cache.started():
            cache.wait_until(lambda: cache.log.read_text(encoding="utf-8").count("Scheduler error") >= 4)
            origin.reset()
            cache.fetch("team/app", image)
            assert origin.count(path="/blobs/|/manifests/") == 0


def test_the_self_test_names_content_that_is_not_what_its_digest_says(public: Path, registry: Registry) -> None:
    image = make_image(layers=2, random_bytes=1000)
    push(registry, "team/app", image, tag="1")
    with CountingProxy(registry.url) as origin:
        cache = Cache("nginx", public, upstream=origin.url).set_up()
        origin.fail(Fault(path=image.layers[1].digest, tamper=lambda content: content[:-1] + b"?"))
        with cache.started():
            told = cache.probe(f"team/app@{image.digest}")
    assert told.returncode == 1
    assert image.layers[1].digest in told.stderr
    assert image.layers[0].digest not in told.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"registry_cache_upstream": "https://example.org/path"}, "no path"),
        ({"registry_cache_username": "reader"}, "registry_cache_password are set both"),
        ({"registry_cache_certificate": "/a.crt"}, "registry_cache_certificate_key are set both"),
        ({"registry_cache_kind": "squid"}, "must be one of: registry, nginx"),
    ],
)
def test_values_that_do_not_fit_are_refused_before_anything_is_written(
    variables: dict[str, str], words: str, public: Path
) -> None:
    refused = Cache("registry", public, upstream="http://127.0.0.1:1", **variables).apply()
    assert refused.returncode != 0
    assert words in refused.output
    assert not (public / "etc").exists()
