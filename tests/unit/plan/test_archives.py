# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans with archives: what must be written, what must be brought, and why."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity, LocalImage, Observed
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.archives import (
    Contained,
    Import,
    Offered,
    Wanted,
    lacking,
    plan_loads,
    plan_save,
)

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan

APP, OTHER, NEW = (parse_reference(f"team/app:{tag}") for tag in ("1", "2", "new"))
DEST = "/srv/images.tar"


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def identity(text: str, *, index: str = "", has_manifest: bool = True) -> Identity:
    manifest = digest(f"manifest {text}") if has_manifest else None
    return Identity(manifest, digest(f"config {text}"), digest(index) if index else None)


def local(text: str, *names: Reference, is_damaged: bool = False, index: str = "") -> LocalImage:
    missing = (digest("layer"),) if is_damaged else ()
    return LocalImage(str(digest(f"config {text}")), identity(text, index=index), names, missing=missing)


def host(*images: LocalImage) -> Observed:
    return Observed(images, engine="layout", platform=Platform("linux", "amd64"))


def save(*wanted: Wanted, there: dict[Reference, Contained] | None, is_forced: bool = False) -> Plan:
    observed = host(*(item.image for item in wanted))
    return plan_save(wanted, observed, dest=DEST, there=there, is_forced=is_forced)


def load(observed: Observed, *offered: tuple[str, tuple[Reference, ...]]) -> Plan:
    rows = [Offered(names, identity(text), str(digest(f"config {text}")), 100) for text, names in offered]
    return plan_loads(rows, observed)


def steps(plan: Plan) -> list[tuple[str, str, str]]:
    return [(action.kind, action.reference.familiar, action.cause) for action in plan.actions]


ONE, TWO = Wanted((APP, NEW), local("one", APP, NEW)), Wanted((OTHER,), local("two", OTHER))
HELD = {
    APP: Contained(identity("one", has_manifest=False), False),
    NEW: Contained(identity("one"), False),
    OTHER: Contained(identity("two"), False),
}


def test_an_archive_with_these_images_and_no_others_is_left_alone() -> None:
    plan = save(ONE, TWO, there=HELD)
    assert plan.is_empty
    assert [(row.name, row.action, row.cause) for row in plan.rows] == [
        (str(APP), "none", "in the archive"),
        (str(OTHER), "none", "in the archive"),
    ]


@pytest.mark.parametrize(
    ("there", "cause"),
    [
        (None, "there is no archive of images yet"),
        ({}, "not in the archive"),
        ({**HELD, APP: Contained(identity("two"), False)}, "the archive has another image of this name"),
        ({**HELD, APP: Contained(identity("one"), True)}, "the archive has it for other platforms"),
        ({**HELD, parse_reference("redis"): Contained(identity("redis"), False)}, "it holds others, too"),
    ],
)
def test_anything_else_is_written_anew_and_told_why(there: dict[Reference, Contained] | None, cause: str) -> None:
    plan = save(ONE, TWO, there=there)
    assert steps(plan) == [("save", "team/app:1", cause)]
    assert plan.actions[0].where == f" and 2 more to {DEST}"
    assert plan.actions[0].to_json()["names"] == [str(name) for name in (APP, NEW, OTHER)]
    after = plan.diff()["after"]
    assert all(f"{name} ({DEST})" in after or name in (there or {}) for name in (APP, NEW, OTHER))
    assert "redis" not in after


def test_an_archive_is_written_anew_where_that_is_forced() -> None:
    assert steps(save(ONE, TWO, there=HELD, is_forced=True)) == [("save", "team/app:1", "force: true")]


def test_an_image_of_another_index_is_another_one() -> None:
    wanted = Wanted((APP,), local("one", APP, index="new"))
    same, other = (Contained(identity("one", index=name), False) for name in ("new", "old"))
    assert save(wanted, there={APP: same}).is_empty
    assert not save(wanted, there={APP: other}).is_empty


def test_what_is_on_the_host_is_not_loaded() -> None:
    plan = load(host(local("one", APP, NEW)), ("one", (APP, NEW)))
    assert plan.is_empty
    assert [(row.action, row.cause) for row in plan.rows] == [("none", "present")]


def test_an_image_is_loaded_once_and_gets_its_other_names() -> None:
    plan = load(host(), ("one", (APP, NEW)))
    assert steps(plan) == [
        ("load", "team/app:1", "not on the host"),
        ("tag", "team/app:new", "wanted as a further name"),
    ]
    assert plan.actions[1].needs == (plan.actions[0].id,)
    assert plan.size == 100


def test_bytes_that_are_there_under_another_name_are_named_and_not_loaded() -> None:
    plan = load(host(local("one", NEW)), ("one", (APP,)))
    assert steps(plan) == [("tag", "team/app:1", "the host holds these bytes under another name")]


def test_a_name_of_another_image_moves_and_a_damaged_image_is_loaded_again() -> None:
    plan = load(host(local("two", APP), local("three", OTHER, is_damaged=True)), ("one", (APP,)), ("three", (OTHER,)))
    assert steps(plan) == [
        ("load", "team/app:1", "it named another image"),
        ("load", "team/app:2", "1 of its parts is missing or damaged"),
    ]
    assert plan.rows[0].previous_digest == identity("two").digest


def test_the_same_config_is_the_same_image_whatever_its_manifest() -> None:
    there = local("one", APP)._replace(identity=Identity(digest("another manifest"), digest("config one")))
    assert load(host(there), ("one", (APP,))).is_empty
    offered = Offered((NEW,), Identity(None, digest("config one")), "", 0)
    assert not lacking(offered, host(there))


def test_of_an_index_alone_nobody_knows_which_image_is_there() -> None:
    there = LocalImage("sha256:0", Identity(index_digest=digest("index")), (OTHER,))
    offered = Offered((APP,), identity("one", index="index"), "", 0)
    assert lacking(offered, host(there))


def test_the_work_is_called_what_the_task_does() -> None:
    plan = plan_loads([Offered((APP,), identity("one"), "", 7)], host(), action=Import)
    assert plan.text() == (
        "Plan: 1 to import; 7 B to move.\n"
        f"  + import team/app:1  {str(identity('one').digest)[:19]}  (7 B, not on the host)\n"
    )
