# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input, from the user or from a registry: an error that says what, and nothing is changed."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    MadeImage,
    make_image,
)
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository, tree_digest
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = make_image({"v": b"1"}, layers=2)
ZEROS = "sha256:" + "0" * 64
ONES = "sha256:" + "1" * 64


@pytest.fixture
def proxy(repository: Repository) -> Iterator[CountingProxy]:
    """Yield a proxy before the shared registry, which holds the image under the tag 1."""
    repository.push("1", IMAGE)
    with CountingProxy(repository.registry.url) as made:
        yield made


def paths(error: dict[str, t.Any]) -> list[str]:
    """Return the paths of the problems an InputError tells."""
    return [problem["path"] for problem in error["problems"]]


MALFORMED = ["Team/App", "app:", "app@sha256:123", "app:bad tag", "https://quay.io/app", "a//b", "app:1@md5:00", "-a/b"]


def test_every_malformed_reference_is_told_with_its_path(host: Host) -> None:
    items = [{"image": text} for text in MALFORMED]
    error = host.refuse("image_state", images=items)
    assert (error["class"], error["code"]) == ("InputError", "bad-input")
    assert paths(error) == [f"images[{at}].image" for at in range(len(MALFORMED))]
    for text in MALFORMED:
        assert repr(text) in error["msg"]
    error = host.refuse("image_pull", name=MALFORMED)
    assert paths(error) == [f"name[{at}]" for at in range(len(MALFORMED))]


@pytest.mark.parametrize("module", ["image_pull", "image_push", "image_rmi", "image_info", "image_tag"])
def test_each_module_refuses_a_malformed_name(host: Host, module: str) -> None:
    options = {"repository": ["local/a:1"]} if module == "image_tag" else {}
    error = host.refuse(module, name="Team/App", **options)
    assert error["code"] == "bad-input"
    assert "must be lower-case" in error["msg"]
    assert paths(error)[0].startswith("name")


def test_new_names_platforms_and_tags_are_checked_together(host: Host) -> None:
    item = {"image": "a", "platform": "linux", "tags": ["ok:1", "Bad", f"pinned@{ZEROS}"], "push": "perhaps"}
    error = host.refuse("image_state", images=[item])
    assert set(paths(error)) >= {"images[0].tags[1]", "images[0].tags[2]", "images[0].push"}
    error = host.refuse("image_tag", name="a", repository=["Bad", f"b@{ZEROS}"])
    assert paths(error) == ["repository[0]", "repository[1]"]
    assert paths(host.refuse("image_pull", name="a", platform="a/b/c/d")) == ["platform"]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"image": "a:1"}, {"image": "a:1", "state": "absent"}], "absent"),
        ([{"image": f"a:1@{ZEROS}"}, {"image": f"a:1@{ONES}"}], "pinned to another digest"),
        ([{"image": "a:1"}, {"image": "a:1", "platform": "linux/s390x"}], "other options"),
        ([{"image": "a:1"}, {"image": "docker.io/library/a:1", "state": "absent"}], "absent"),
        ([{"image": "a:1", "tags": ["t:1"]}, {"image": "b:1", "tags": ["t:1"]}], "t:1"),
        ([{"image": "a:1", "tags": ["t:1"]}, {"image": "t:1", "state": "absent"}], "t:1"),
        ([{"image": "a:1", "state": "absent", "tags": ["t:1"]}], "absent image"),
    ],
)
def test_contradictions_are_refused(host: Host, items: list[dict[str, t.Any]], words: str) -> None:
    error = host.refuse("image_state", images=items)
    assert (error["class"], error["code"]) == ("InputError", "bad-input")
    assert words in error["msg"]
    assert error["problems"][-1]["path"].startswith(f"images[{len(items) - 1}]")


def test_an_unknown_key_is_told_with_its_path_and_the_nearest_name(host: Host, tmp_path: Path) -> None:
    items = [{"image": "quay.example/a:1"}, {"image": "quay.example/b:1", "pul": "newer"}, {"imag": "c"}]
    options = {"images": items, "engine": "layout", "store": str(host.store)}
    task = {"name": "state", "fleet.images.image_state": options}
    run = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": [task]}], tmp_path / "home")
    result = run.of("state").result
    assert run.of("state").status == "failed"
    assert result["error"]["class"] == "InputError"
    assert "images[1].pul" in result["msg"]
    assert "'pull'" in result["msg"] or "pull" in result["msg"].split("images[1].pul", 1)[1]
    assert "images[2]" in result["msg"]
    assert not host.store.exists()


def test_a_build_without_its_context_is_told_before_anything_is_changed(host: Host, tmp_path: Path) -> None:
    missing = tmp_path / "nothing-here"
    error = host.refuse("image_build", name="a:1", path=str(missing))
    assert error["code"] == "context-missing"
    assert str(missing) in error["msg"]
    error = host.refuse("image_state", images=[{"image": "a:1", "build": {"path": str(missing)}}])
    assert error["code"] == "context-missing"
    missing.mkdir()
    assert host.refuse("image_build", name="a:1", path=str(missing))["code"] == "dockerfile-missing"


def test_a_mistake_in_a_dockerfile_is_shown_with_its_line(host: Host, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n# fine\nCOPPY a /b\n", encoding="utf-8")
    error = host.refuse("image_build", name="a:1", path=str(tmp_path))
    assert error["class"] == "InputError"
    assert "COPPY a /b" in error["msg"]
    assert "3" in error["msg"]
    assert not host.store.exists()


def flipped(repository: Repository, digest: str) -> None:
    """Change one byte of a blob where the registry keeps it."""
    encoded = digest.partition(":")[2]
    path = repository.registry.data / "docker/registry/v2/blobs/sha256" / encoded[:2] / encoded / "data"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def test_a_layer_with_other_bytes_than_promised_is_not_kept(host: Host, repository: Repository) -> None:
    good = make_image({"v": b"good"})
    bad = make_image({"v": b"bad"}, layers=2, random_bytes=5000, seed=7)
    repository.push("good", good)
    repository.push("bad", bad)
    host.do("image_pull", name=f"{repository}:good")
    flipped(repository, bad.layers[1].digest)
    result = host.run("image_pull", name=f"{repository}:bad").result
    assert result["failed"]
    assert result["error"]["code"] == "digest-mismatch"
    assert bad.layers[1].digest in result["msg"]
    assert host.names() == {f"{repository}:good": good.digest}
    assert bad.layers[1].digest not in host.blobs()
    flipped(repository, bad.layers[1].digest)  # mended
    host.settle("image_pull", name=f"{repository}:bad")


def test_one_bad_image_of_a_list_leaves_the_others_done_and_says_so(host: Host, repository: Repository) -> None:
    good = make_image({"v": b"good"})
    bad = make_image({"v": b"bad"}, layers=2, random_bytes=5000, seed=8)
    repository.push("good", good)
    repository.push("bad", bad)
    flipped(repository, bad.layers[1].digest)
    result = host.run("image_pull", name=[f"{repository}:good", f"{repository}:bad"]).result
    error = result["error"]
    assert error["class"] == "ApplyError"
    assert list(error["failed"]) == [f"pull {repository}:bad"]
    assert error["failed"][f"pull {repository}:bad"]["code"] == "digest-mismatch"
    assert set(host.names()) <= {f"{repository}:good"}
    assert [f"pull {name}" for name in host.names()] == error["done"]


def sent(image: MadeImage, body: bytes, *, kind: str = OCI_MANIFEST, digest: bool = False) -> Fault:
    """Return a fault that answers every question for a manifest with ``body``, with or without the true digest."""
    headers = {"Content-Type": kind, **({"Docker-Content-Digest": image.digest} if digest else {})}
    return Fault(path="/manifests/", method="GET", status=200, headers=headers, body=body, times=100)


RAW = IMAGE.manifest.data
SCHEMA_1 = b'{"schemaVersion":1,"fsLayers":[]}'
SCHEMA_1_TYPE = "application/vnd.docker.distribution.manifest.v1+prettyjws"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(sent(IMAGE, RAW[:-20]), "not-json", id="truncated"),
        pytest.param(sent(IMAGE, RAW[:-20], digest=True), "digest-mismatch", id="truncated-with-digest"),
        pytest.param(Fault(path="/manifests/", method="GET", cut_after=50, times=100), "connection-broken", id="cut"),
        pytest.param(sent(IMAGE, RAW + b" " * 8 * 1024 * 1024), "too-large", id="oversized"),
        pytest.param(sent(IMAGE, RAW, kind=OCI_INDEX), "mediatype-mismatch", id="sent-as-index"),
        pytest.param(sent(IMAGE, RAW, kind=DOCKER_MANIFEST), "mediatype-mismatch", id="sent-as-docker"),
        pytest.param(sent(IMAGE, b"<html>log in</html>", kind="text/html"), "not-json", id="html"),
        pytest.param(sent(IMAGE, b"<html>log in</html>"), "not-json", id="html-in-disguise"),
        pytest.param(sent(IMAGE, b"[]"), "wrong-shape", id="a-list"),
        pytest.param(sent(IMAGE, RAW.replace(b'"layers":[', b'"layers":["x",')), "wrong-shape", id="odd-layers"),
        pytest.param(sent(IMAGE, RAW.replace(b'"size":', b'"size":-', 1)), "wrong-shape", id="negative-size"),
        pytest.param(sent(IMAGE, RAW.replace(b"sha256:", b"sha256:x", 1)), "wrong-shape", id="bad-digest"),
        pytest.param(sent(IMAGE, SCHEMA_1, kind=SCHEMA_1_TYPE), "unknown-manifest-type", id="schema-1"),
    ],
)
def test_what_is_no_manifest_is_refused(
    host: Host, repository: Repository, proxy: CountingProxy, fault: Fault, code: str
) -> None:
    proxy.fail(fault)
    error = host.refuse("image_pull", name=f"{proxy.host}/{repository.path}:1")
    assert error["code"] == code
    assert proxy.host in error["msg"] or IMAGE.digest in error["msg"]
    assert not host.store.exists()


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "server-failed"), (503, "server-failed"), (429, "rate-limited"), (418, "unexpected-answer")],
)
def test_a_registry_that_fails_is_told_with_its_status(
    host: Host, repository: Repository, proxy: CountingProxy, status: int, code: str
) -> None:
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": "out of order"}]}).encode()
    proxy.fail(Fault(path="/manifests/", status=status, body=body, times=100))
    error = host.refuse("image_pull", name=f"{proxy.host}/{repository.path}:1")
    assert error["code"] == code
    assert str(status) in error["why"]
    assert "out of order" in error["why"]


def test_a_registry_that_is_not_there_is_told(host: Host, repository: Repository, proxy: CountingProxy) -> None:
    proxy.__exit__()
    error = host.refuse("image_pull", name=f"{proxy.host}/{repository.path}:1")
    assert error["code"] == "connection-refused"


def test_a_store_that_is_something_else_is_left_alone(repository: Repository, tmp_path: Path) -> None:
    repository.push("1", IMAGE)
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear", encoding="utf-8")
    before = tree_digest(folder)
    error = Host(folder).refuse("image_pull", name=f"{repository}:1")
    assert (error["class"], error["code"]) == ("InputError", "not-a-layout")
    assert "letter.txt" in error["msg"]
    assert tree_digest(folder) == before


def test_a_damaged_index_of_the_store_is_told_and_left_alone(host: Host, repository: Repository) -> None:
    repository.push("1", IMAGE)
    host.do("image_pull", name=f"{repository}:1")
    (host.store / "index.json").write_text('{"manifests": [', encoding="utf-8")
    for module in ("image_pull", "image_rmi", "image_info"):
        error = host.refuse(module, name=f"{repository}:1")
        assert (error["class"], error["code"]) == ("IntegrityError", "store-damaged")
        assert str(host.store) in error["msg"]
