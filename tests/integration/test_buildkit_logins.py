# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What BuildKit fetches itself from a registry that needs a log-in: caches, and the image of a syntax line."""

from __future__ import annotations

import contextlib
import json
import stat
import typing as t
from base64 import b64encode
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.build_contexts import answering, busybox
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost
from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.processes import seen_of_processes
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd

PASSWORD = "correct horse: battery #7c1f"
BASIC = b64encode(f"fleet:{PASSWORD}".encode())
PREFIX = "fleet-images-"

# Drawn by the first step, so that only a cache can give it again; the other tells that the build runs.
DOCKERFILE = """FROM scratch
COPY busybox /bin/
RUN --mount=type=tmpfs,target=/t ["/bin/busybox", "cp", "/proc/sys/kernel/random/uuid", "/drawn"]
ARG SEEN_AT
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox wget -q $SEEN_AT"]
"""


class WatchedHost(DockerHost):
    """A host that tasks build on, whose temporary files lie in a folder of their own."""

    def __init__(self, daemon: Dockerd, temporary: Path) -> None:
        super().__init__(daemon)
        self.temporary = temporary

    def surroundings(self) -> dict[str, str]:
        return {"TMPDIR": str(self.temporary)}

    def forget(self) -> None:
        """Remove every image, and all that builds left behind."""
        for image in self.all_ids():
            with contextlib.suppress(AssertionError):  # it went along with another one
                self.daemon.cli("rmi", "-f", image)
        self.daemon.cli("builder", "prune", "--all", "--force")
        assert self.all_ids() == []

    def layers(self, name: str) -> list[str]:
        """Return the digests of an image's layers."""
        return list(json.loads(self.daemon.cli("inspect", name))[0]["RootFS"]["Layers"])


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with start_registry(tmp_path_factory.mktemp("private"), RegistryOptions(users={"fleet": PASSWORD})) as registry:
        yield registry


@pytest.fixture
def host(dockerd: Dockerd, tmp_path: Path) -> Iterator[WatchedHost]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    host = WatchedHost(dockerd, temporary)
    host.forget()
    yield host
    assert list(temporary.glob(f"{PREFIX}*")) == []


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "busybox").write_bytes(busybox())
    (folder / "busybox").chmod(0o755)
    return folder


def login(registry: Registry) -> dict[str, t.Any]:
    """Return the options of who may read."""
    return {"registry_auth": [{"registry": registry.host, "username": "fleet", "password": PASSWORD}]}


def test_a_cache_is_taken_with_the_log_in_of_the_task_alone(
    host: WatchedHost, private: Registry, context: Path
) -> None:
    cache = private.reference("team/cache", "1")
    build = {"name": "local/app:1", "path": str(context), "dockerfile_inline": DOCKERFILE, "network": "host"}
    seen: list[bytes] = []
    files: dict[str, int] = {}
    configs: list[Mapping[str, t.Any]] = []

    def look(path: str) -> None:
        if path != "/looked-at":
            return
        seen.append(seen_of_processes())
        (folder,) = (folder for folder in host.temporary.glob(f"{PREFIX}*") if (folder / "config.json").exists())
        files.update((place.name, stat.S_IMODE(place.stat().st_mode)) for place in (folder, folder / "config.json"))
        files["folder"] = files.pop(folder.name)
        configs.append(json.loads((folder / "config.json").read_bytes()))

    with answering(look) as address:

        def built(path: str, **options: t.Any) -> list[str]:
            arguments = {"SEEN_AT": f"{address}/{path}", "BUILDKIT_INLINE_CACHE": "1"}
            result = host.do("image_build", **build, args=arguments, **options)
            assert result["actions"][0]["builder"] == "BuildKit"
            assert PASSWORD not in json.dumps(result)
            return host.layers("local/app:1")[:2]

        first = built("first")
        host.do("image_push", name="local/app:1", repository=[cache], **login(private))
        host.forget()
        assert built("without", cache_from=[cache])[1] != first[1]
        host.forget()
        assert built("looked-at", cache_from=[cache], **login(private)) == first
    assert files == {"folder": 0o700, "config.json": 0o600}
    assert configs == [{"auths": {private.host: {"auth": BASIC.decode()}}}]
    assert f"--cache-from={cache}".encode() in seen[0]  # the client was looked at while it ran
    assert PASSWORD.encode() not in seen[0]
    assert BASIC not in seen[0]


def test_the_image_of_a_syntax_line_is_fetched_with_the_log_in(
    host: WatchedHost, private: Registry, context: Path
) -> None:
    syntax = private.reference("team/syntax", "1")
    push(private, "team/syntax", make_image({"no": b"program"}), tag="1")
    text = f"# syntax={syntax}\n{DOCKERFILE}"

    def words_of_refusal(**options: t.Any) -> str:
        run = host.run("image_build", name="local/app:2", path=str(context), dockerfile_inline=text, **options)
        assert run.result["error"]["code"] == "engine-build-failed"
        assert PASSWORD not in json.dumps(run.result)
        return str(run.result["msg"])

    def was_fetched() -> bool:
        rows = private.log.read_text(encoding="utf-8").splitlines()
        return any("GET /v2/team/syntax/blobs/" in row and '" 200 ' in row for row in rows)

    assert "401" in words_of_refusal()
    assert not was_fetched()
    assert "401" not in words_of_refusal(**login(private))  # it is no program that could read anything
    assert was_fetched()


def test_a_cache_that_cannot_be_had_is_not_why_a_step_fails(
    host: WatchedHost, private: Registry, context: Path
) -> None:
    text = 'FROM scratch\nCOPY busybox /bin/\nRUN --mount=type=tmpfs,target=/t ["/bin/busybox", "no-tool"]\n'
    cache = private.reference("team/none", "1")
    run = host.run(
        "image_build", name="local/app:3", path=str(context), dockerfile_inline=text, network="none", cache_from=[cache]
    )
    assert "no-tool: applet not found" in run.result["msg"]
    assert "401" not in run.result["msg"]
