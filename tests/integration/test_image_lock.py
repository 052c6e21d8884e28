# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_lock with a real registry: what it writes, what it asks, what other tools say of it, and bad locks."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import make_image, make_index, push, push_image, push_index
from ansible_collections.fleet.images.tests.support.module import check_then_run, run_module
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.registry import RegistryOptions, start_registry

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.registry import Registry


def lock(path: Path, *names: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the options that lock these names to the file at ``path``."""
    return {"images": [{"image": name} for name in names], "path": str(path), **options}


def failure(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Run the module, which must fail in check mode and for real alike, and return its error."""
    told = [run_module("image_lock", params, check=check).result for check in (True, False)]
    assert all(result.get("failed") for result in told), told
    assert told[0]["error"] == told[1]["error"]
    return t.cast("dict[str, t.Any]", told[1]["error"])


def actions(result: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return what became of each entry, by the last part of its name."""
    return {row["reference"].rpartition("/")[2]: row["action"] for row in result["images"]}


def same_plan(announced: t.Mapping[str, t.Any], done: t.Mapping[str, t.Any]) -> bool:
    """Say whether check mode announced what was done."""
    return all(announced[key] == done[key] for key in ("changed", "images", "diff"))


def test_the_life_of_a_lock(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "images.lock.json"
    app, multi = registry.reference("life/app", "1"), registry.reference("life/multi", "2")
    push_image(registry, "life/app", "1", files={"a": b"one"})
    push_index(registry, "life/multi", "2")
    run_module("image_lock", lock(path, app, multi), check=True).succeed()
    assert not path.exists()

    announced, done = check_then_run("image_lock", lock(path, app, multi))
    assert same_plan(announced, done)
    assert done["changed"]
    assert actions(done) == {"app:1": "add", "multi:2": "add"}
    first = path.read_bytes()
    again = run_module("image_lock", lock(path, app, multi)).succeed()
    assert not again["changed"]
    assert again["diff"] == {"before": "", "after": ""}
    assert path.read_bytes() == first

    push_image(registry, "life/app", "1", files={"a": b"two"})
    announced, done = check_then_run("image_lock", lock(path, app, multi))
    assert same_plan(announced, done)
    assert actions(done) == {"app:1": "update", "multi:2": "keep"}
    moved = done["images"][0]
    assert moved["cause"] == "the tag moved"
    assert moved["digest"] == registry.digest("life/app", "1") != moved["previous_digest"]
    assert f"{app} {moved['previous_digest']} (linux/amd64)" in done["diff"]["before"]
    assert f"{app} {moved['digest']} (linux/amd64)" in done["diff"]["after"]
    line = r"~ .*life/app:1  sha256:\w{12} -> sha256:\w{12}  \(adds \d+ B, the tag moved\)"
    assert re.search(line, done["diff"]["prepared"])
    before, after = json.loads(first)["images"], json.loads(path.read_bytes())["images"]
    assert [name for name in before if before[name] != after[name]] == [app]

    announced, done = check_then_run("image_lock", lock(path, multi))
    assert same_plan(announced, done)
    assert actions(done) == {"app:1": "drop", "multi:2": "keep"}
    assert list(json.loads(path.read_bytes())["images"]) == [multi]


def test_update_looks_up_what_it_names_and_what_is_missing_and_nothing_else(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with CountingProxy(registry.url) as proxy:
        names = [f"{proxy.host}/update/{word}:1" for word in ("one", "two", "three")]
        for word in ("one", "two", "three"):
            push_image(registry, f"update/{word}", "1", files={"v": b"1"})
        run_module("image_lock", lock(path, *names[:2])).succeed()
        for word in ("one", "two"):
            push_image(registry, f"update/{word}", "1", files={"v": b"2"})
        proxy.reset()
        done = run_module("image_lock", lock(path, *names, update=[f"{proxy.host}/update/o*"])).succeed()
        assert actions(done) == {"one:1": "update", "two:1": "keep", "three:1": "add"}
        assert not [row for row in proxy.exchanges() if "/two/" in row.path]
        proxy.reset()
        done = run_module("image_lock", lock(path, *names, update=[])).succeed()
        assert not done["changed"]
        assert proxy.exchanges() == []
        error = failure(lock(path, *names, update=[names[0], "nothing:*"]))
        assert error["problems"][0]["path"] == "update[1]"


def test_frozen_fails_if_the_lock_would_change_and_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    path, name = tmp_path / "lock", registry.reference("frozen/app", "1")
    push_image(registry, "frozen/app", "1", files={"v": b"1"})
    error = failure(lock(path, name, frozen=True))
    assert error["code"] == "lock-frozen"
    assert not path.exists()
    run_module("image_lock", lock(path, name)).succeed()
    assert not run_module("image_lock", lock(path, name, frozen=True)).succeed()["changed"]
    push_image(registry, "frozen/app", "1", files={"v": b"2"})
    before = path.read_bytes()
    error = failure(lock(path, name, frozen=True))
    assert (error["class"], error["code"]) == ("ConflictError", "lock-frozen")
    assert "the tag moved" in error["why"]
    assert path.read_bytes() == before
    assert not run_module("image_lock", lock(path, name, frozen=True, update=[])).succeed()["changed"]


def test_fifty_references_are_one_manifest_request_each_and_the_same_bytes_on_every_path(
    registry: Registry, tmp_path: Path
) -> None:
    index = make_index([make_image({"a": name.encode()}, platform=name) for name in ("linux/amd64", "linux/arm64")])
    with CountingProxy(registry.url) as proxy:
        for number in range(10):
            push_image(registry, f"fifty/app{number}", "1", files={"n": b"%d" % number})
            for tag in range(4):
                push(registry, f"fifty/app{number}", index, tag=f"i{tag}")
        names = [f"{proxy.host}/fifty/app{n}:{tag}" for n in range(10) for tag in ("1", "i0", "i1", "i2", "i3")]
        one, two = tmp_path / "one.json", tmp_path / "a folder" / "two.json"
        two.parent.mkdir()
        proxy.reset()
        run_module("image_lock", lock(one, *names)).succeed()
        asked = [row.path for row in proxy.exchanges() if "/manifests/" in row.path]
        by_tag = [path for path in asked if "sha256:" not in path]
        assert len(by_tag) == len(set(by_tag)) == 50
        assert len(asked) == 52  # two images of one index, which many names share
        run_module("image_lock", lock(two, *reversed(names))).succeed()
        assert one.read_bytes() == two.read_bytes()
        proxy.reset()
        assert not run_module("image_lock", lock(one, *names)).succeed()["changed"]
        assert len(proxy.exchanges()) <= 50 + 1  # each name, and whether it speaks TLS
        push_image(registry, "fifty/app3", "i2", files={"n": b"moved"})
        run_module("image_lock", lock(one, *names)).succeed()
        before, after = json.loads(two.read_bytes())["images"], json.loads(one.read_bytes())["images"]
        assert [name for name in before if before[name] != after[name]] == [f"{proxy.host}/fifty/app3:i2"]


def test_skopeo_computes_the_same_digests_for_every_entry(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    push_image(registry, "witness/one", "1", layers=3)
    push_image(registry, "witness/docker", "1", docker=True)
    push_index(registry, "witness/multi", "1", platforms=("linux/amd64", "linux/arm64", "linux/arm/v7"))
    names = [registry.reference(f"witness/{word}", "1") for word in ("one", "docker", "multi")]
    run_module("image_lock", lock(path, *names)).succeed()
    entries = json.loads(path.read_bytes())["images"]
    assert sorted(entries) == sorted(names)
    for name, entry in entries.items():
        assert skopeo.manifest_digest(f"docker://{name}") == entry["digest"]
        repository = name.rpartition(":")[0]
        for platform, row in entry["platforms"].items():
            address = f"docker://{repository}@{row['manifest']}"
            raw = skopeo.raw_manifest(address)
            assert "sha256:" + hashlib.sha256(raw).hexdigest() == row["manifest"]
            manifest = json.loads(raw)
            assert manifest["config"]["digest"] == row["config"]
            assert row["size"] == len(raw) + sum(part["size"] for part in (manifest["config"], *manifest["layers"]))
            config = skopeo.image_config(address)
            assert config["rootfs"]["diff_ids"] == row["diff_ids"]
            assert platform == "/".join(filter(None, (config["os"], config["architecture"], config.get("variant"))))


def bad_locks() -> dict[str, t.Callable[[str], str]]:
    """Return what happens to files, by the code that tells it."""
    digest = r'"digest": "sha256:\w{4}'
    return {
        "lock-edited": lambda text: re.sub(digest, '"digest": "sha256:0000', text, count=1),
        "lock-not-json": lambda text: text[: len(text) // 2],
        "lock-version": lambda text: text.replace('"version": 1', '"version": 2'),
        "lock-invalid": lambda text: re.sub(r'"config": "sha256:\w+"', '"config": "sha256:12"', text, count=1),
        "merge": lambda text: text.replace('{\n  "images"', '{\n<<<<<<< HEAD\n=======\n>>>>>>> other\n  "images"'),
    }


@pytest.mark.parametrize("kind", bad_locks())
def test_a_bad_lock_is_told_and_stays_as_it_is(kind: str, registry: Registry, tmp_path: Path) -> None:
    path, name = tmp_path / "lock", registry.reference("bad/app", "1")
    push_image(registry, "bad/app", "1")
    run_module("image_lock", lock(path, name)).succeed()
    path.write_text(bad_locks()[kind](path.read_text(encoding="utf-8")), encoding="utf-8")
    before = path.read_bytes()
    error = failure(lock(path, name))
    assert (error["class"], error["code"]) == ("InputError", "lock-not-json" if kind == "merge" else kind)
    assert error["subject"] == str(path)
    assert path.read_bytes() == before


def test_the_file_keeps_its_mode_and_a_link_leads_to_it(registry: Registry, tmp_path: Path) -> None:
    name = registry.reference("mode/app", "1")
    push_image(registry, "mode/app", "1")
    path, link = tmp_path / "real.json", tmp_path / "link.json"
    run_module("image_lock", lock(path)).succeed()
    path.chmod(0o660)
    link.symlink_to(path)
    run_module("image_lock", lock(link, name)).succeed()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o660
    assert list(json.loads(path.read_bytes())["images"]) == [name]
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.is_file()) == ["link.json", "real.json"]


def test_a_file_that_cannot_be_written_is_told(registry: Registry, tmp_path: Path) -> None:
    name = registry.reference("nowhere/app", "1")
    push_image(registry, "nowhere/app", "1")
    missing = run_module("image_lock", lock(tmp_path / "none" / "lock", name)).result
    assert missing["error"]["code"] == "lock-unwritable"
    (tmp_path / "folder").mkdir()
    assert failure(lock(tmp_path / "folder", name))["code"] == "lock-unreadable"


def test_all_that_is_wrong_with_the_options_is_told_at_once(tmp_path: Path) -> None:
    wrong = lock(tmp_path / "lock", "Not A Name", platforms=["linux"], min_age="soon", verify=[{"pattern": "a"}])
    paths = [problem["path"] for problem in failure(wrong)["problems"]]
    assert paths == ["verify[0].keys", "platforms", "images[0].image", "min_age"]
    endless = failure(lock(tmp_path / "lock", "redis:7", min_age="999999w"))
    assert [problem["path"] for problem in endless["problems"]] == ["min_age"]


def test_an_image_that_is_not_there_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    path, name = tmp_path / "lock", registry.reference("there/app", "1")
    push_image(registry, "there/app", "1")
    run_module("image_lock", lock(path, name)).succeed()
    before = path.read_bytes()
    error = failure(lock(path, registry.reference("there/app", "2"), name))
    assert (error["class"], error["code"]) == ("NotFoundError", "image-not-found")
    assert path.read_bytes() == before


def test_builds_lock_what_they_start_and_copy_from(registry: Registry, tmp_path: Path) -> None:
    for word in ("base", "tools", "amd64", "arm64"):
        push_image(registry, f"bases/{word}", "1", files={"w": word.encode()})
    inline = (
        f"ARG VERSION=0\nFROM --platform=$BUILDPLATFORM {registry.host}/bases/base:$VERSION AS one\nRUN make\n"
        f"FROM {registry.host}/bases/$TARGETARCH:1 AS two\nFROM example.invalid/unneeded:1 AS three\n"
        f"FROM scratch AS last\nCOPY --from=one /a /a\nCOPY --from=two /b /b\n"
        f"COPY --from={registry.host}/bases/tools:1 /c /c\n"
    )
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM made:also\nCOPY not-here /\n", encoding="utf-8")
    images = [
        {"image": "made:1", "tags": ["made:also"], "build": {"dockerfile_inline": inline, "args": {"VERSION": 1}}},
        {"image": "next:1", "build": {"path": str(tmp_path / "context")}},
        {"image": "gone:1", "state": "absent"},
    ]
    params = {"images": images, "path": str(tmp_path / "lock")}
    done = run_module("image_lock", params).succeed()
    assert actions(done) == {"base:1": "add", "tools:1": "add", "amd64:1": "add"}
    done = run_module("image_lock", {**params, "platforms": ["amd64", "arm64"]}).succeed()
    assert actions(done)["arm64:1"] == "add"


def test_a_dockerfile_that_is_not_on_the_control_node_is_told(tmp_path: Path) -> None:
    builds = [{"image": "made:1", "build": {"path": "/srv/on/the/host"}}]
    error = failure({"images": builds, "path": str(tmp_path / "lock")})
    assert error["code"] == "dockerfile-missing"
    assert error["subject"] == "images[0]"
    assert "control node" in error["fix"] + error["what"]


def test_log_ins_and_authorities_are_those_of_other_modules_and_mirrors_are_never_asked(tmp_path: Path) -> None:
    options = RegistryOptions(users={"me": "s3cret-word"}, tls=True)
    with start_registry(tmp_path / "private", options) as private, start_registry(tmp_path / "mirror") as mirror:
        image = push_image(private, "private/app", "1")
        push_image(mirror, "private/app", "1", files={"other": b"bytes"})
        name, path = private.reference("private/app", "1"), tmp_path / "lock"
        trusted = {"registry_ca_path": private.ca_path, "retry": 0}
        log_in = {"username": "me", "password": "s3cret-word"}
        copies = [{"registry": private.host, "location": mirror.host}]
        assert failure(lock(path, name, **trusted))["class"] == "AuthError"
        done = run_module("image_lock", lock(path, name, **trusted, **log_in, mirrors=copies)).succeed()
        assert done["images"][0]["digest"] == image.digest
        assert "s3cret-word" not in json.dumps(done)
        both = lock(path, name, mirror.reference("private/app", "1"), **trusted, **log_in)
        assert failure(both)["code"] == "credentials-for-several-registries"
        auth = [{"registry": private.host, **log_in}]
        run_module("image_lock", {**both, "username": None, "password": None, "registry_auth": auth}).succeed()
