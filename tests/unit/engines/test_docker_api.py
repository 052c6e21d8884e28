# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of Docker's API and its containerd store, by a simulated daemon; what a look costs, by a real one."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ImagesError,
    InputError,
    NotFoundError,
    PeerError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, Identity, Look
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_image, parse_reference
from ansible_collections.fleet.images.tests.support.docker_engine import engine_at
from ansible_collections.fleet.images.tests.support.simulated_dockerd import (
    CONTAINERD,
    SimulatedDockerd,
    simulated_dockerd,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

INDEX, AMD64, ARM64, ALONE, CONFIG = (
    str(Digest.of(word)) for word in (b"index", b"amd64", b"arm64", b"one", b"config")
)
REDIS = parse_reference("redis:7")


@pytest.fixture
def daemon() -> Iterator[SimulatedDockerd]:
    with tempfile.TemporaryDirectory() as folder, simulated_dockerd(Path(folder)) as daemon:
        yield daemon


@pytest.fixture
def engine(daemon: SimulatedDockerd) -> Iterator[DockerEngine]:
    engine = engine_at(daemon.address)
    yield engine
    engine.close()


def row(image: str, **more: t.Any) -> dict[str, t.Any]:
    """Return a row of GET /images/json (API v1.41, ImageSummary)."""
    told = {"Id": image, "ParentId": "", "RepoTags": [], "RepoDigests": [], "Created": 1_700_000_000, "Size": 5}
    return {**told, "SharedSize": -1, "Labels": None, "Containers": -1, **more}


def part(digest: str, platform: str = "", *, is_available: bool = True) -> dict[str, t.Any]:
    """Return an ImageManifestSummary (API v1.47); without a platform that of an attestation."""
    told = {"ID": digest, "Descriptor": {"digest": digest}, "Available": is_available}
    if not platform:
        return {**told, "Kind": "attestation", "AttestationData": {"For": AMD64}}
    os_name, architecture = platform.split("/")
    data = {"Platform": {"os": os_name, "architecture": architecture}, "Size": {"Unpacked": 1}, "Containers": None}
    return {**told, "Kind": "image", "ImageData": data}


def redis(target: str, **more: t.Any) -> dict[str, t.Any]:
    return row(target, RepoTags=["redis:7"], RepoDigests=[f"redis@{target}"], **more)


def index_row(*manifests: dict[str, t.Any]) -> dict[str, t.Any]:
    descriptor = {"mediaType": media_types.OCI_INDEX, "digest": INDEX, "size": 9218}
    return redis(INDEX, Descriptor=descriptor, Manifests=list(manifests))


def list_images(daemon: SimulatedDockerd, *rows: dict[str, t.Any]) -> None:
    daemon.answers["GET /images/json"] = (200, list(rows))


@pytest.mark.parametrize(
    ("highest", "lowest", "wanted", "spoken"),
    [
        ("1.41", "1.12", "auto", "1.41"),
        ("1.55", "1.44", "auto", "1.48"),
        ("1.24", "1.12", "auto", "1.24"),
        ("1.41", "1.12", "1.30", "1.30"),
        ("1.55", "1.44", "1.52", "1.52"),
    ],
)
def test_the_newest_version_that_both_know_is_spoken_unless_one_is_set(
    daemon: SimulatedDockerd, highest: str, lowest: str, wanted: str, spoken: str
) -> None:
    daemon.answer_version(highest, lowest)
    list_images(daemon, redis(ALONE))
    engine = engine_at(daemon.address, api_version=wanted)
    for _time in range(2):
        engine.observe()
    engine.close()
    assert daemon.requests() == ["GET /version", "GET /images/json", "GET /images/json"]
    assert {asked.version for asked in daemon.asked[1:]} == {spoken}


@pytest.mark.parametrize(
    ("highest", "lowest", "wanted", "code"),
    [
        ("1.23", "1.12", "auto", "engine-too-old"),
        ("1.41", "1.12", "1.42", "engine-too-old"),
        ("1.41", "1.12", "1.23", "engine-too-old"),
        ("1.60", "1.50", "auto", "engine-too-new"),
        ("1.55", "1.44", "1.43", "engine-too-new"),
    ],
)
def test_without_a_version_in_common_nothing_else_is_asked(
    daemon: SimulatedDockerd, highest: str, lowest: str, wanted: str, code: str
) -> None:
    daemon.answer_version(highest, lowest)
    engine = engine_at(daemon.address, api_version=wanted)
    with pytest.raises(UnsupportedError) as raised:
        engine.observe()
    engine.close()
    assert raised.value.code == code
    assert raised.value.fix
    assert daemon.requests() == ["GET /version"]


def test_what_is_no_version_is_an_error_before_anything_is_asked(daemon: SimulatedDockerd) -> None:
    with pytest.raises(InputError) as raised:
        engine_at(daemon.address, api_version="latest")
    assert raised.value.code == "bad-api-version"
    assert daemon.asked == []


def test_podman_behind_dockers_socket_is_told_apart(daemon: SimulatedDockerd, engine: DockerEngine) -> None:
    daemon.answer_version(components=["Podman Engine", "Conmon"])
    with pytest.raises(UnsupportedError) as raised:
        engine.observe()
    assert (raised.value.code, raised.value.fix) == ("engine-mismatch", "set engine: podman")


def test_a_socket_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    engine = engine_at(f"unix://{tmp_path}/s")
    for ask in (engine.observe, lambda: engine.untag(REDIS)):
        with pytest.raises(NotFoundError) as raised:
            ask()
        assert raised.value.code == "engine-unreachable"
    engine.close()


def test_the_platform_is_the_daemons(daemon: SimulatedDockerd, engine: DockerEngine) -> None:
    daemon.answer_version(Arch="s390x")
    assert engine.observe().platform == Platform("linux", "s390x")


def test_an_index_of_the_containerd_store_tells_index_manifest_and_platform(
    daemon: SimulatedDockerd, engine: DockerEngine
) -> None:
    daemon.answer_version("1.52", "1.44")
    attested = part(str(Digest.of(b"attestation")))
    list_images(daemon, index_row(part(ARM64, "linux/arm64", is_available=False), part(AMD64, "linux/amd64"), attested))
    observed = engine.observe()
    image = observed.by_name[REDIS]
    assert image.identity == Identity(Digest.parse(AMD64), None, Digest.parse(INDEX))
    assert (image.id, image.platform, image.missing) == (INDEX, Platform("linux", "amd64"), ())
    assert [str(pin) for pin in image.digest_names] == [f"docker.io/library/redis@{INDEX}"]
    assert (observed.abilities.ids, observed.abilities.sends_exact) == ("target", True)
    assert daemon.asked[-1].query == {"manifests": "1"}
    assert daemon.requests() == ["GET /version", "GET /images/json"]


def test_another_platform_of_an_index_is_told_where_only_that_is_there(
    daemon: SimulatedDockerd, engine: DockerEngine
) -> None:
    daemon.answer_version("1.48", "1.24")
    list_images(daemon, index_row(part(AMD64, "linux/amd64", is_available=False), part(ARM64, "linux/arm64")))
    (image,) = engine.observe().images
    assert (image.platform, image.identity.manifest_digest) == (Platform("linux", "arm64"), Digest.parse(ARM64))
    list_images(daemon, index_row(part(AMD64, "linux/amd64", is_available=False)))
    (image,) = engine.observe().images
    assert [str(digest) for digest in image.missing] == [AMD64]


def test_a_manifest_of_the_containerd_store_is_told_from_an_index(
    daemon: SimulatedDockerd, engine: DockerEngine
) -> None:
    daemon.answer_version("1.47", "1.24")
    list_images(daemon, redis(ALONE, Manifests=[part(ALONE, "linux/amd64")]))
    assert engine.observe().by_name[REDIS].identity == Identity(Digest.parse(ALONE))
    list_images(daemon, redis(INDEX, Manifests=[part(ALONE, "linux/amd64")]))
    assert engine.observe().by_name[REDIS].identity == Identity(Digest.parse(ALONE), None, Digest.parse(INDEX))


def test_an_older_containerd_store_tells_the_target_alone_and_details_when_asked(
    daemon: SimulatedDockerd, engine: DockerEngine
) -> None:
    daemon.answer_version("1.43")
    list_images(daemon, redis(INDEX))
    daemon.answers[f"GET /images/{INDEX}/json"] = (200, {"Id": INDEX, "Os": "linux", "Architecture": "arm64"})
    observed = engine.observe(Look(details_of=frozenset([REDIS])))
    image = observed.by_name[REDIS]
    assert image.identity == Identity(known_as=(Digest.parse(INDEX),))
    assert (image.platform, observed.abilities.ids) == (Platform("linux", "arm64"), "target")
    assert "GET /info" not in daemon.requests()
    assert "manifests" not in daemon.asked[1].query


@pytest.mark.parametrize(("info", "ids"), [({"DriverStatus": None}, "config"), (CONTAINERD, "target")])
def test_the_store_is_asked_for_only_where_the_list_does_not_tell(
    daemon: SimulatedDockerd, engine: DockerEngine, info: dict[str, t.Any], ids: str
) -> None:
    daemon.answer_version("1.52", "1.44")
    daemon.answers["GET /info"] = (200, info)
    for _time in range(2):
        assert engine.observe().abilities.ids == ids
    assert daemon.requests().count("GET /info") == 1
    list_images(daemon, row(CONFIG, RepoTags=["redis:7"], RepoDigests=[f"redis@{ALONE}"]))
    assert engine.observe().abilities.ids == "config"


def test_whatever_uses_an_image_of_the_containerd_store_holds_it(
    daemon: SimulatedDockerd, engine: DockerEngine
) -> None:
    daemon.answer_version("1.48")
    list_images(daemon, index_row(part(AMD64, "linux/amd64")))
    told = {"Id": "c" * 64, "Names": ["/web"], "Image": "redis:7", "ImageID": INDEX, "State": "exited"}
    daemon.answers["GET /containers/json"] = (200, [told, {**told, "Names": [], "ImageID": ALONE}])
    (image,) = engine.observe(Look(containers=True)).images
    assert image.used_by == (Container("web", holds_image=True),)


def test_rows_without_names_and_with_odd_ones_are_read(daemon: SimulatedDockerd, engine: DockerEngine) -> None:
    nothing = {"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}
    list_images(
        daemon,
        row(CONFIG, **nothing, Created=-62135596800),
        row(ALONE, RepoTags=None, RepoDigests=[f"redis@{INDEX}"]),
        row(AMD64, RepoTags=["odd:<none>", "Not A Name"], RepoDigests=None, Created=0),
    )
    images = engine.observe().images
    assert [image.names for image in images] == [(), (parse_reference(f"redis@{INDEX}"),), ()]
    assert [image.created for image in images] == ["", "2023-11-14T22:13:20Z", ""]


def test_an_image_that_goes_between_list_and_details_has_none(daemon: SimulatedDockerd, engine: DockerEngine) -> None:
    list_images(daemon, row(CONFIG, RepoTags=["redis:7"], RepoDigests=[f"redis@{ALONE}"]))
    wanted = [REDIS, parse_image(CONFIG), parse_reference("absent:1")]
    assert engine.observe(Look(details_of=frozenset(wanted))).by_name[REDIS].platform is None


def test_the_containerd_store_is_tagged_by_its_target_and_shows_no_folder(
    daemon: SimulatedDockerd, engine: DockerEngine
) -> None:
    daemon.answers["GET /info"] = (200, CONTAINERD)
    daemon.answers[f"GET /images/{INDEX}/json"] = (200, {"Id": INDEX})
    daemon.answers[f"POST /images/{INDEX}/tag"] = (201, None)
    identity = Identity(Digest.parse(AMD64), Digest.parse(CONFIG), Digest.parse(INDEX))
    engine.tag(parse_reference("mine:2"), identity=identity, platform=None)
    assert daemon.asked[-1].query == {"repo": "docker.io/library/mine", "tag": "2"}
    assert engine.space() is None


@pytest.mark.parametrize("messages", [["nonsense"], [{"status": "fine"}, 5]])
def test_progress_of_another_shape_is_an_error_of_ours(
    daemon: SimulatedDockerd, engine: DockerEngine, messages: list[t.Any]
) -> None:
    daemon.answers["POST /images/create"] = (200, messages)
    with pytest.raises(PeerError) as raised:
        engine.pull(REDIS, source=parse_reference(f"redis@{ALONE}"), platform=None, deadline=None)
    assert raised.value.code == "engine-not-json"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("GET /images/json", [{"Id": 5}]),
        ("GET /images/json", [{"Id": CONFIG, "RepoTags": "redis:7", "Size": 1}]),
        ("GET /images/json", [{"Id": CONFIG, "RepoDigests": [5], "Size": 1}]),
        ("GET /images/json", ["text"]),
        ("GET /images/json", {"a": 1}),
        ("GET /version", {"ApiVersion": "new"}),
        ("GET /version", []),
        ("GET /version", {"ApiVersion": "1.41", "Components": [1]}),
        ("GET /info", ["text"]),
        ("GET /containers/json", [{"Id": 1, "ImageID": 2}]),
        ("GET /containers/json", ["text"]),
    ],
)
def test_answers_of_another_shape_are_errors_of_ours(
    daemon: SimulatedDockerd, engine: DockerEngine, path: str, told: t.Any
) -> None:
    if path == "GET /info":
        daemon.answer_version("1.48")
    daemon.answers[path] = (200, told)
    with pytest.raises(ImagesError) as raised:
        engine.observe(Look(containers=True))
    assert raised.value.code in ("wrong-shape", "engine-not-json")
