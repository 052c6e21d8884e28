# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports over real stores: what is done to a host is found there and named rightly, and the audit changes none."""

from __future__ import annotations

import json
import subprocess
import typing as t
from xml.etree import ElementTree as Xml

from ansible_collections.fleet.images.tests.support.images import make_image, make_index, write_layout
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, tree_digest
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

APP, TOOL = "example.com/team/app:1", "example.com/team/tool:1"
OURS, FOREIGN_APP = make_image({"a": b"ours"}, platform=HOST), make_image({"a": b"theirs"}, platform=FOREIGN)
INDEX, TOOL_IMAGE = make_index([FOREIGN_APP, OURS]), make_image({"v": b"tool"})
OTHER = make_image({"v": b"other"})
AUDIT = "Write the report"


def audit(home: Path, *, hosts: str, **variables: t.Any) -> PlaybookRun:
    """Run the audit over ``hosts`` (lines of an inventory), which have their stores below ``home``."""
    home.mkdir(exist_ok=True)
    lock = home / "images.lock.json"
    lock.write_text(json.dumps(lock_of({APP: INDEX, TOOL: TOOL_IMAGE})), encoding="utf-8")
    given = {
        "fleet_images": [{"image": APP}, {"image": TOOL}],
        "fleet_images_lock": "images.lock.json",
        "fleet_images_options": {"engine": "layout", "store": f"{home}/{{{{ inventory_hostname }}}}/store"},
        **variables,
    }
    plays = [{"name": "audit", "ansible.builtin.import_playbook": "fleet.images.audit"}]
    return run_playbook(plays, home, inventory=hosts, arguments=["-v", "-e", json.dumps(given)])


def report_of(home: Path, first: str = "") -> dict[str, t.Any]:
    """Return the JSON that the audit wrote; where lists differ, that of ``first`` and hosts like it."""
    document = json.loads((home / "fleet-images-report" / first / "report.json").read_bytes())
    assert isinstance(document, dict)
    return document


def told_of(finished: PlaybookRun, *, hosts: str = "") -> dict[str, t.Any]:
    """Return the result of the audit's report: the one there is, or that of the hosts with one list."""
    rows = [row for row in finished.of(AUDIT).result["results"] if hosts in ("", row["_ansible_item_label"])]
    assert len(rows) == 1, finished.output
    result: dict[str, t.Any] = rows[0]
    return result


def put(folder: Path, named: Mapping[str, t.Any]) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return write_layout(folder, named)


def lose_a_layer(store: Path) -> None:
    (store / "blobs" / "sha256" / OURS.layers[0].digest.partition(":")[2]).unlink()


def flip_a_bit(store: Path) -> None:
    path = store / "blobs" / "sha256" / OURS.layers[0].digest.partition(":")[2]
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


MUTATIONS: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "clean": (lambda store: put(store, {APP: INDEX, TOOL: TOOL_IMAGE}), set()),
    "missing": (lambda store: put(store, {APP: INDEX}), {(TOOL, "missing")}),
    "renamed": (lambda store: put(store, {APP: INDEX, "local/tool:x": TOOL_IMAGE}), {(TOOL, "missing")}),
    "other": (lambda store: put(store, {APP: INDEX, TOOL: OTHER}), {(TOOL, "digest-differs")}),
    "moved": (
        lambda store: put(store, {APP: INDEX, TOOL: OTHER, "docker.io/local/tool:x": TOOL_IMAGE}),
        {(TOOL, "tag-moved")},
    ),
    "foreign": (lambda store: put(store, {APP: FOREIGN_APP, TOOL: TOOL_IMAGE}), {(APP, "wrong-platform")}),
    "flipped": (
        lambda store: flip_a_bit(put(store, {APP: INDEX, TOOL: TOOL_IMAGE})),
        {(APP, "corrupt")},
    ),
    "corrupt": (
        lambda store: lose_a_layer(put(store, {APP: INDEX, TOOL: TOOL_IMAGE})),
        {(APP, "corrupt")},
    ),
}


def test_what_is_done_to_hosts_is_found_named_and_told_alike_in_every_form(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name, (mutate, _expected) in MUTATIONS.items():
        mutate(home / name / "store")
    before = {name: tree_digest(home / name / "store") for name in MUTATIONS}
    inventory = "".join(f"{name} ansible_connection=local\n" for name in MUTATIONS)
    finished = audit(home, hosts=inventory, fleet_images_deep=True)
    result = told_of(finished)
    expected = {(host, image, kind) for host, (_do, found) in MUTATIONS.items() for image, kind in found}
    assert {(row["host"], row["image"], row["class"]) for row in result["findings"]} == expected, finished.output
    assert finished.returncode == 0
    report = report_of(home)
    states = {row["host"]: row["state"] for row in report["hosts"]}
    assert states == {name: "drift" if found else "verified" for name, (_do, found) in MUTATIONS.items()}
    assert {name: tree_digest(home / name / "store") for name in MUTATIONS} == before
    (why,) = [row["why"] for row in result["findings"] if row["host"] == "flipped"]
    assert why.startswith(f"layer 1 of 1 is damaged: must be {OURS.layers[0].digest} and is sha256:")
    junit = Xml.parse(home / "fleet-images-report" / "report.junit.xml").getroot()
    cases = {(case.get("classname"), case.get("name"), case.find("failure")) for case in junit.iter("testcase")}
    assert {(host, image, kind.get("type")) for host, image, kind in cases if kind is not None} == expected
    metrics = (home / "fleet-images-report" / "report.prom").read_text(encoding="utf-8")
    for host, image, kind in expected:
        assert f'fleet_images_finding{{host="{host}",image="{image}",class="{kind}"}} 1\n' in metrics
    assert metrics.count("fleet_images_finding{") == len(expected)
    rows = (home / "fleet-images-report" / "report.md").read_text(encoding="utf-8").partition("## Findings")[2]
    assert sum(line.startswith("| ") for line in rows.splitlines()) == len(expected) + 2


def test_hosts_that_fail_or_are_not_reached_are_rows_and_a_pipeline_fails_after_the_report(tmp_path: Path) -> None:
    home = tmp_path / "home"
    put(home / "good" / "store", {APP: INDEX, TOOL: TOOL_IMAGE})
    (home / "bad").mkdir()
    (home / "bad" / "store").write_text("no folder", encoding="utf-8")
    inventory = (
        "bad ansible_connection=local\n"
        "far ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n"
        "good ansible_connection=local\n"
    )
    finished = audit(home, hosts=inventory, fleet_images_fail_on="failed")
    told = told_of(finished)
    assert told["error"]["code"] == "fleet-differs", finished.output
    assert finished.returncode != 0
    rows = {row["host"]: row for row in report_of(home)["hosts"]}
    assert {host: row["state"] for host, row in rows.items()} == {
        "bad": "failed",
        "far": "unreachable",
        "good": "verified",
    }
    assert rows["bad"]["error"]["fix"]
    assert rows["far"]["error"]["code"] == "unreachable"
    assert rows["far"]["cells"] == {}
    assert rows["far"]["root"] == ""
    assert {row["host"] for row in told["findings"]} == {"bad", "far"}


def test_a_second_audit_of_the_same_fleet_is_no_change_keeps_history_and_shows_no_secret(tmp_path: Path) -> None:
    home, built = tmp_path / "home", "example.com/own/built:1"
    put(home / "web1" / "store", {APP: INDEX, TOOL: TOOL_IMAGE, built: OTHER, "example.com/old/app:0": OTHER})
    inventory = "web1 ansible_connection=local\n"
    secret = {"path": "/", "secrets": [{"id": "token", "value": "s3cret-word"}]}
    images = [{"image": APP}, {"image": built, "build": secret}, {"image": TOOL}]
    first = audit(home, hosts=inventory, fleet_images=images, fleet_images_fail_on="drift")
    assert first.of(AUDIT).changed, first.output
    assert built in first.output
    assert "s3cret-word" not in first.output
    again = audit(home, hosts=inventory, fleet_images=images)
    assert not again.of(AUDIT).changed
    report = report_of(home)
    assert [row["root"] for row in report["history"]] == [report["root"]]
    assert [(row["name"], row["class"]) for row in report["hosts"][0]["extra"]] == [("example.com/old/app:0", "extra")]
    assert len(report["history"]) == 1
    slipped = audit(home, hosts=inventory, fleet_images="{{ nobody }}")
    assert slipped.returncode != 0
    assert report_of(home) == report, "a list that cannot be read is no empty one"


def test_hosts_with_the_same_images_have_one_root_and_each_list_has_a_signed_report(tmp_path: Path) -> None:
    home, key = tmp_path / "home", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name in ("one", "two"):
        put(home / name / "store", {APP: INDEX, TOOL: TOOL_IMAGE})
    put(home / "three" / "store", {APP: INDEX, TOOL: OTHER})
    put(home / "own" / "1" / "store", {TOOL: TOOL_IMAGE})
    inventory = "".join(f"{name} ansible_connection=local\n" for name in ("one", "own/1", "two", "three"))
    lists = f"{{{{ [{{'image': '{TOOL}'}}] + ([] if inventory_hostname == 'own/1' else [{{'image': '{APP}'}}]) }}}}"
    finished = audit(home, hosts=inventory, fleet_images_sign_key=str(key), fleet_images=lists)
    assert [row["state"] for row in report_of(home, "own-1")["hosts"]] == ["verified"]
    files = told_of(finished, hosts="one and 2 more")["files"]
    roots = {row["host"]: row["root"] for row in report_of(home, "one")["hosts"]}
    assert roots["one"] == roots["two"] != roots["three"]
    (tmp_path / "signers").write_text(f"me {key.with_suffix('.pub').read_text(encoding='utf-8')}", encoding="utf-8")
    words = ["-Y", "verify", "-n", "fleet.images", "-I", "me", "-f", str(tmp_path / "signers")]
    with open(files["json"], "rb") as signed:
        subprocess.run(["ssh-keygen", *words, "-s", files["signature"]], stdin=signed, check=True, capture_output=True)


def test_check_mode_tells_the_same_and_writes_nothing(tmp_path: Path, host: Host) -> None:
    put(host.store, {APP: INDEX})
    held = host.do("image_info", detail=True)
    options = {"images": [{"image": APP}], "hosts": {"web1": held}, "dest": "out"}
    plays = [
        {"hosts": "all", "gather_facts": False, "tasks": [{"name": "report", "fleet.images.image_report": options}]}
    ]
    announced = run_playbook(plays, tmp_path / "home", arguments=["--check"])
    assert announced.of("report").changed, announced.output
    assert not (tmp_path / "home" / "out").exists()
    done = run_playbook(plays, tmp_path / "home")
    assert done.of("report").result["totals"] == announced.of("report").result["totals"]
    assert sorted(path.name for path in (tmp_path / "home" / "out").iterdir()) == sorted(
        path.rpartition("/")[2] for path in done.of("report").result["files"].values()
    )


def test_what_is_wrong_with_a_task_is_told_with_its_place(tmp_path: Path) -> None:
    wrong: dict[str, dict[str, t.Any]] = {
        "dest.pdf": {"dest": {"pdf": "x"}},
        "hosts.web1": {"hosts": {"web1": {"ping": "pong"}}},
        "images[0]": {"images": [{"image": "Not A Name"}]},
        "sign_key": {"sign_key": "key", "dest": {"markdown": "x.md"}},
    }
    good = {"images": [{"image": APP}], "hosts": {}, "dest": "out"}
    tasks = [
        {"name": path, "fleet.images.image_report": {**good, **options}, "ignore_errors": True}
        for path, options in wrong.items()
    ]
    finished = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], tmp_path / "home")
    for path in wrong:
        told = finished.of(path)
        assert told.status in ("failed", "ignored"), finished.output
        assert [problem["path"] for problem in told.result["error"]["problems"]] == [path]
    assert not (tmp_path / "home" / "out").exists()
