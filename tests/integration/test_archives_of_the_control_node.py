# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_load of an archive that lies on the control node: copied to hosts that lack something of it, and no others."""

from __future__ import annotations

import gzip
import os
import tarfile
import time
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, write_layout
from ansible_collections.fleet.images.tests.support.lifecycle import HOST, Host
from ansible_collections.fleet.images.tests.support.playbook import run_playbook

if t.TYPE_CHECKING:
    from pathlib import Path

NAME = "docker.io/team/app:1"


def load(name: str, store: Path, path: str, **more: t.Any) -> dict[str, t.Any]:
    options = {"engine": "layout", "store": str(store), "path": path, "remote_src": False}
    return {"name": name, "fleet.images.image_load": {**options, **more.pop("options", {})}, **more}


def test_an_archive_goes_only_to_hosts_that_lack_something_of_it(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes root without a password")
    made, home, store = make_image(platform=HOST, layers=2, random_bytes=300_000), tmp_path / "home", tmp_path / "store"
    (home / "files").mkdir(parents=True)
    layout = write_layout(tmp_path / "layout", {NAME: made})
    archive = home / "files" / "app.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(layout, ".")
    packed = home / "files" / "app.tar.gz"
    packed.write_bytes(gzip.compress(archive.read_bytes(), 1))
    copied = {"become": True, "become_method": "su"}  # so the host's user may read nothing here, as far as we know
    tasks = [
        load("announced", store, "app.tar", check_mode=True, **copied),
        load("loaded", store, "app.tar", **copied),
        load("again", store, "app.tar", **copied),
        load("packed", store, "app.tar.gz", **copied, options={"repository": ["team/new"]}),
        load("direct", tmp_path / "other", "app.tar"),
        load("in the background", tmp_path / "third", "app.tar", **copied, **{"async": 60, "poll": 1}),
        load("missing", store, "no.tar", ignore_errors=True),
        load("misspelt", store, "app.tar", options={"remote_src": "flase"}, ignore_errors=True),
        load("unknown", store, "app.tar", **copied, options={"name": "team/unknown"}, ignore_errors=True),
    ]
    plays = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    environment = {"ANSIBLE_ASYNC_DIR": str(tmp_path / "async")}
    finished = run_playbook(plays, home, arguments=["-vvv", "--diff"], environment=environment)
    results = {row.task: row.result for row in finished.results}
    changed = {name for name, result in results.items() if result.get("changed")}
    assert changed == {"announced", "loaded", "packed", "direct", "in the background"}, finished.output
    assert results["announced"]["actions"] == results["loaded"]["actions"]
    assert [row["action"] for row in results["packed"]["actions"]] == ["tag"]
    puts = [line.split(" TO ")[1] for line in finished.output.splitlines() if " PUT " in line and "images.tar" in line]
    assert len(puts) == 1 + 2 + 1 + 1 + 1 + 1  # what it holds; that and the archive; each time what it holds …
    assert Host(store).names() == {NAME: made.digest, "docker.io/team/new:latest": made.digest}
    assert Host(tmp_path / "third").names() == Host(tmp_path / "other").names() == {NAME: made.digest}
    assert results["missing"]["error"]["code"] == "archive-not-found"
    assert "remote_src" in results["misspelt"]["msg"]
    assert results["unknown"]["error"]["code"] == "archive-lacks-image"
    assert str(archive) in results["unknown"]["msg"]
    end = time.monotonic() + 60  # the background task's own process takes its folder away when it has told its result
    while list((home / "remote-tmp").glob("*")):
        assert time.monotonic() < end, "copies stay"
        time.sleep(0.1)
