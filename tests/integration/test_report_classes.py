# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every class of drift, each made in several ways in real stores: all are found and named rightly, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.fleet.images.tests.architecture.sources import ROOT
from ansible_collections.fleet.images.tests.support.fleet_reports import findings, findings_by_form, report
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex, make_image, make_index
from ansible_collections.fleet.images.tests.support.images import write_layout as put
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, tree_digest
from ansible_collections.fleet.images.tests.support.locks import lock_of

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.images import Blob
    from ansible_collections.fleet.images.tests.support.registry import Registry

    Images = dict[str, MadeImage | MadeIndex]

KEEP, KEEP_TOO = "example.com/kept/app:1", "example.com/kept/app:2"
APP, TOOL, BASE = "example.com/team/app:1", "example.com/team/tool:1", "docker.io/library/base:3"
OURS, THEIRS = make_image({"a": b"ours"}, platform=HOST, layers=2), make_image({"a": b"theirs"}, platform=FOREIGN)
INDEX, TOOL_IMAGE, BASE_IMAGE = make_index([THEIRS, OURS]), make_image({"v": b"tool"}), make_image({"v": b"base"})
OTHER, OLD = make_image({"v": b"other"}), make_image({"v": b"old"})
ALL: Images = {APP: INDEX, TOOL: TOOL_IMAGE, BASE: BASE_IMAGE}
IMAGES = [{"image": APP}, {"image": TOOL}, {"image": "base:3"}]
REF_NAME = "org.opencontainers.image.ref.name"


def held(**changes: MadeImage | MadeIndex | None) -> Images:
    """Return what a good host holds, with ``changes`` of what the names APP, TOOL and BASE mean; None is absent."""
    names = {"app": APP, "tool": TOOL, "base": BASE}
    changed = {**ALL, **{names[name]: image for name, image in changes.items()}}
    return {name: image for name, image in changed.items() if image is not None}


def path_of(store: Path, blob: Blob) -> Path:
    return store / "blobs" / "sha256" / blob.digest.partition(":")[2]


def flip(store: Path, blob: Blob) -> None:
    """Change one bit in the middle of a stored blob."""
    path = path_of(store, blob)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_name(store: Path, name: str) -> None:
    """Let an entry of the index name nothing."""
    index = json.loads((store / "index.json").read_bytes())
    for entry in index["manifests"]:
        if entry["annotations"][REF_NAME] == name:
            del entry["annotations"][REF_NAME]
    (store / "index.json").write_text(json.dumps(index), encoding="utf-8")


#: Way to break a host, by a name of it, and what must be found there. Each starts with the store of a good host.
Way = tuple["Images | Callable[[Path], object]", set[tuple[str, str]]]
WAYS: dict[str, Way] = {
    "verified": (ALL, set()),
    "verified-alone": (held(app=OURS), set()),
    "verified-more": ({**ALL, "example.com/team/app:alias": INDEX}, {("example.com/team/app:alias", "extra")}),
    "missing": (held(tool=None), {(TOOL, "missing")}),
    "missing-all": ({}, {(APP, "missing"), (TOOL, "missing"), (BASE, "missing")}),
    "missing-name": ({**held(tool=None), KEEP: TOOL_IMAGE}, {(TOOL, "missing"), (KEEP, "extra")}),
    "missing-other-tag": (
        {**held(base=None), "docker.io/library/base:4": OLD},
        {
            (BASE, "missing"),
            ("docker.io/library/base:4", "extra"),
        },
    ),
    "moved": ({**held(tool=OTHER), KEEP: TOOL_IMAGE}, {(TOOL, "tag-moved"), (KEEP, "extra")}),
    "moved-swapped": (held(tool=BASE_IMAGE, base=TOOL_IMAGE), {(TOOL, "tag-moved"), (BASE, "tag-moved")}),
    "moved-index": ({**held(app=OTHER), KEEP: INDEX}, {(APP, "tag-moved"), (KEEP, "extra")}),
    "other": (held(tool=OTHER), {(TOOL, "digest-differs")}),
    "other-two": (held(tool=OTHER, base=OLD), {(TOOL, "digest-differs"), (BASE, "digest-differs")}),
    "other-index": (held(app=make_index([THEIRS, OTHER])), {(APP, "digest-differs")}),
    "foreign": (held(app=THEIRS), {(APP, "wrong-platform")}),
    "foreign-index": (held(app=make_index([THEIRS])), {(APP, "wrong-platform")}),
    "foreign-unknown": (held(tool=make_image({"v": b"tool"}, platform=FOREIGN)), {(TOOL, "wrong-platform")}),
    "extra": ({**ALL, "example.com/old/app:0": OLD}, {("example.com/old/app:0", "extra")}),
    "extra-digest": (
        {**ALL, f"example.com/old/app@{OLD.digest}": OLD},
        {(f"example.com/old/app@{OLD.digest}", "dangling")},
    ),
    "extra-two": ({**ALL, KEEP: OLD, KEEP_TOO: OLD}, {(KEEP, "extra"), (KEEP_TOO, "extra")}),
    "absent": ({**ALL, "example.com/bad/app:1": OLD}, {("example.com/bad/app:1", "extra")}),
    "dangling": (
        lambda store: lose_name(put(store, {**ALL, KEEP: OLD}), KEEP),
        {
            (OLD.digest, "dangling"),
        },
    ),
    "dangling-own": (
        lambda store: lose_name(put(store, ALL), TOOL),
        {
            (TOOL, "missing"),
            (TOOL_IMAGE.digest, "dangling"),
        },
    ),
    "lost-layer": (lambda store: path_of(put(store, ALL), OURS.layers[0]).unlink(), {(APP, "corrupt")}),
    "lost-config": (lambda store: path_of(put(store, ALL), BASE_IMAGE.config).unlink(), {(BASE, "corrupt")}),
    "cut-layer": (lambda store: path_of(put(store, ALL), OURS.layers[1]).write_bytes(b"x"), {(APP, "corrupt")}),
    "bad-layer": (lambda store: flip(put(store, ALL), OURS.layers[1]), {(APP, "corrupt")}),
    "bad-config": (lambda store: flip(put(store, ALL), TOOL_IMAGE.config), {(TOOL, "corrupt")}),
    "bad-manifest": (lambda store: flip(put(store, ALL), TOOL_IMAGE.manifest), {(TOOL, "corrupt")}),
    "failed-file": (lambda store: store.write_text("no folder", encoding="utf-8"), {("", "failed")}),
    "failed-index": (lambda store: (put(store, ALL) / "index.json").write_bytes(b"{"), {("", "failed")}),
    "failed-version": (
        lambda store: (put(store, ALL) / "oci-layout").write_text('{"imageLayoutVersion": "9.0.0"}', encoding="utf-8"),
        {("", "failed")},
    ),
}
OPTIONS: dict[str, t.Any] = {
    "images": [*IMAGES, {"image": "example.com/bad/app:1", "state": "absent"}],
    "lock": lock_of({APP: INDEX, TOOL: TOOL_IMAGE, BASE: BASE_IMAGE}),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """Return what each broken host says of itself, asked as the audit with deep asks; nothing changes on them."""
    folder = tmp_path_factory.mktemp("hosts")
    told = {}
    for name, (way, _found) in WAYS.items():
        host = Host(folder / name)
        host.store.parent.mkdir(exist_ok=True)
        if callable(way):
            way(host.store)
        else:
            put(host.store, way)
        before = tree_digest(host.store)
        told[name] = host.run("image_info", detail=True, deep=True).result
        assert tree_digest(host.store) == before
    gone: dict[str, t.Any] = {"gone": None, "gone-ssh": {"unreachable": True, "msg": "No route to host"}}
    return {**told, **gone}


def expected(*, extras: bool) -> set[tuple[str, str, str]]:
    """Return what must be found on all hosts, with ``extras`` also what nobody asked for."""
    found = {(host, image, kind) for host, (_way, rows) in WAYS.items() for image, kind in rows}
    kept = {row for row in found if extras or row[2] not in ("extra", "dangling") or row[0] == "absent"}
    return kept | {("gone", "", "unreachable"), ("gone-ssh", "", "unreachable")}


def found_on(host: str) -> set[tuple[str, str, str]]:
    return {row for row in expected(extras=True) if row[0] == host}


def test_whatever_is_done_to_a_store_is_found_and_named_and_nothing_else(results: dict[str, t.Any]) -> None:
    assert findings(report(results, **OPTIONS, unlisted="remove")) == expected(extras=True)


def test_what_nobody_asked_for_is_no_drift_unless_it_must_go(results: dict[str, t.Any]) -> None:
    reported = report(results, **OPTIONS)
    assert findings(reported) == expected(extras=False)
    listed = {(row["host"], extra["class"]) for row in reported.report["hosts"] for extra in row["extra"]}
    found = {(host, kind) for host, _image, kind in expected(extras=True) if kind in ("extra", "dangling")}
    assert listed == found


def test_what_is_protected_is_no_drift(results: dict[str, t.Any]) -> None:
    one = {"web1": results["extra"]}
    assert findings(report(one, **OPTIONS, unlisted="remove", protect=["example.com/old/*"])) == set()
    assert findings(report(one, **OPTIONS, unlisted="remove", protect=["example.com/new/*"])) != set()


def test_all_forms_say_the_same(results: dict[str, t.Any]) -> None:
    reported = report(results, **OPTIONS, unlisted="remove")
    told = findings_by_form(reported)
    assert set(told) == {"html", "json", "markdown", "junit", "prometheus"}
    assert [form for form, found in told.items() if found != expected(extras=True)] == []


def test_what_a_report_says_of_itself_is_verified_by_the_script_that_needs_no_ansible(
    results: dict[str, t.Any], tmp_path: Path
) -> None:
    reported = report(results, **OPTIONS, unlisted="remove")
    path = tmp_path / "report.json"
    path.write_text(reported.texts[reported.files["json"]], encoding="utf-8")
    command = [sys.executable, "-I", str(ROOT / "docs" / "verify_report.py"), str(path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout.endswith(b"all is as the report says\n")
    path.write_text(path.read_text(encoding="utf-8").replace(OURS.digest, OTHER.digest), encoding="utf-8")
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"host verified-alone, image example.com/team/app:1: its digests are not those that were" in done.stdout


def test_hosts_are_in_the_state_that_their_findings_say(results: dict[str, t.Any]) -> None:
    reported = report(results, **OPTIONS, unlisted="remove")
    bad = {host: kind for host, image, kind in expected(extras=True) if not image}
    drifting = {host for host, image, _kind in expected(extras=True) if image}
    for row in reported.report["hosts"]:
        wanted = bad.get(row["host"], "drift" if row["host"] in drifting else "verified")
        assert row["state"] == wanted, row["host"]
    roots = {row["host"]: row["root"] for row in reported.report["hosts"]}
    good = {host for host, root in roots.items() if root == roots["verified"]}
    assert good == {host for host in WAYS if not any(image in ALL for _host, image, _kind in found_on(host))} - set(bad)
    codes = {row["host"]: row["error"]["code"] for row in reported.report["hosts"] if row["state"] == "failed"}
    assert codes == {"failed-file": "not-a-layout", "failed-index": "store-damaged", "failed-version": "layout-version"}


@pytest.mark.parametrize(
    ("lock", "why"),
    [
        (lock_of({TOOL: TOOL_IMAGE, BASE: BASE_IMAGE}), "it is not in the lock"),
        (lock_of({**ALL, APP: make_index([THEIRS])}), "the lock does not have it for "),
    ],
)
def test_what_the_lock_does_not_have_cannot_be_judged(
    results: dict[str, t.Any], lock: dict[str, t.Any], why: str
) -> None:
    reported = report({"web1": results["verified"]}, images=IMAGES, lock=lock)
    assert findings(reported) == {("web1", APP, "failed")}
    (row,) = reported.report["hosts"]
    assert row["state"] == "failed"
    assert row["cells"][APP]["why"].startswith(why)


def test_without_a_lock_pins_and_registries_say_which_bytes_are_right(tmp_path: Path, registry: Registry) -> None:
    from ansible_collections.fleet.images.tests.support.images import push

    name = f"{registry.host}/team/app:1"
    host = Host(tmp_path / "store")
    put(host.store, {name: OURS})
    push(registry, "team/app", OURS, tag="1")
    asked = host.do("image_info", detail=True, remote=True)
    assert findings(report({"web1": asked}, images=[{"image": name}])) == set()
    push(registry, "team/app", OTHER, tag="1")
    asked = host.do("image_info", detail=True, remote=True)
    reported = report({"web1": asked}, images=[{"image": name}])
    assert findings(reported) == {("web1", name, "tag-moved")}
    pinned = f"{name}@{OURS.digest}"
    assert findings(report({"web1": asked}, images=[{"image": pinned}])) == set()
    other = f"{name}@{OTHER.digest}"
    assert findings(report({"web1": asked}, images=[{"image": other}])) == {("web1", other, "digest-differs")}


def test_one_flipped_bit_on_one_of_twenty_hosts_is_found_with_its_host_image_and_layer(tmp_path: Path) -> None:
    hosts = {f"web{number:02}": Host(tmp_path / f"web{number:02}" / "store") for number in range(20)}
    for host in hosts.values():
        host.store.parent.mkdir()
        put(host.store, ALL)
    flip(hosts["web13"].store, OURS.layers[1])
    shallow = hosts["web13"].do("image_info", detail=True)
    assert findings(report({"web13": shallow}, **OPTIONS)) == set()
    deep = {name: host.do("image_info", detail=True, deep=True) for name, host in hosts.items()}
    reported = report(deep, **OPTIONS)
    assert findings(reported) == {("web13", APP, "corrupt")}
    why = {row["host"]: row for row in reported.report["hosts"]}["web13"]["cells"][APP]["why"]
    assert f"layer 2 of 2 is damaged: must be {OURS.layers[1].digest} and is sha256:" in why
    assert reported.report["totals"]["verified"] == 19
