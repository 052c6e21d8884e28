# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A compose file's images: of services and of mounts, with what it includes and extends."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.image_sources import Sources

COMPOSE = """\
name: shop
x-base: &base
  restart: always
  platform: linux/arm64
services:
  web:
    <<: *base
    image: ghcr.io/team/web:${TAG:-1.10}
  cache:
    image: redis:7
    environment: {NEEDED: "${PASSWORD:?set it}"}
  files:
    image: busybox:1
    volumes:
      - data:/data
      - type: image
        source: ${SITE-ghcr.io/team/site}:2
        target: /site
  worker:
    build: .
  both:
    build: .
    image: ghcr.io/team/both:1
  made:
    build: .
    image: ghcr.io/team/made:1
    pull_policy: build
  agent:
    provider: {type: model}
volumes: {data: {}}
"""


def test_every_place_of_an_image_is_found_and_told(sources: Sources) -> None:
    sources.write({"compose.yaml": COMPOSE})
    found = sources.read("compose.yaml")
    assert found.images == [
        {"image": "ghcr.io/team/web:1.10", "platform": "linux/arm64"},
        {"image": "redis:7"},
        {"image": "busybox:1"},
        {"image": "ghcr.io/team/site:2"},
        {"image": "ghcr.io/team/both:1"},
    ]
    assert found.sources[0] == {"image": "ghcr.io/team/web:1.10", "found": ["compose.yaml: services.web.image"]}
    assert found.sources[3]["found"] == ["compose.yaml: services.files.volumes[1].source"]
    assert found.warnings == [
        "compose.yaml: services.worker, services.made: built and not pulled, so no image is taken from there"
    ]


def test_variables_of_the_entry_fill_in_what_the_file_leaves_open(sources: Sources) -> None:
    sources.write({"c.yml": "services: {a: {image: '${REPO}/app:${TAG:-1}'}}"})
    entry = {"path": "c.yml", "variables": {"REPO": "quay.io/team", "TAG": 2.5}}
    assert sources.read(entry).images == [{"image": "quay.io/team/app:2.5"}]
    assert sources.problems("c.yml") == ["c.yml: services.a.image: the variable REPO has no value"]


def test_included_files_are_read_once_with_the_same_variables(sources: Sources) -> None:
    top = "include: [db/compose.yaml, {path: [mail.yaml, db/compose.yaml]}, 'oci://quay.io/x/y']\nservices: {}\n"
    below = "include: [../compose.yaml]\nservices: {db: {image: 'postgres:${PG:-16}'}}\n"
    sources.write({"compose.yaml": top, "db/compose.yaml": below, "mail.yaml": "services: {m: {image: mail:1}}"})
    found = sources.read({"path": "compose.yaml", "variables": {"PG": "17"}})
    assert {row["image"]: row["found"] for row in found.sources} == {
        "postgres:17": ["db/compose.yaml: services.db.image"],
        "mail:1": ["mail.yaml: services.m.image"],
    }
    assert found.warnings == ["compose.yaml: include[2]: it is not on the control node, and not read"]


def test_a_service_has_the_image_of_the_one_that_it_extends(sources: Sources) -> None:
    base = """\
services:
  root: {image: app:1, platform: arm64, volumes: [{type: image, source: data:1, target: /d}]}
  mid: {extends: root, image: app:2}
"""
    sources.write(
        {
            "compose.yaml": "services: {a: {extends: {file: lib/base.yaml, service: mid}}, b: {extends: {service: a}}}",
            "lib/base.yaml": base,
        }
    )
    found = sources.read("compose.yaml")
    assert found.images == [{"image": "app:2", "platform": "arm64"}, {"image": "data:1"}]
    assert found.sources[0]["found"] == ["compose.yaml: services.a.image", "compose.yaml: services.b.image"]


def test_a_later_document_of_a_file_goes_over_an_earlier_one(sources: Sources) -> None:
    sources.write({"compose.yaml": "services: {a: {image: x:1, platform: arm64}}\n---\nservices: {a: {image: x:2}}\n"})
    assert sources.read("compose.yaml").images == [{"image": "x:2", "platform": "arm64"}]


def test_all_that_is_wrong_is_told_with_its_place(sources: Sources) -> None:
    text = """\
services:
  a: {image: [x]}
  b: {image: Redis}
  c: {image: redis, platform: a/b/c/d}
  d: {extends: nobody}
  e: {extends: f}
  f: {extends: e}
  g: text
  i: {image: no}
  h: {image: redis, volumes: [{type: image, target: /x}]}
include: [there.yaml]
"""
    sources.write({"compose.yaml": text})
    assert sources.problems("compose.yaml") == [
        "compose.yaml: services.a.image: must be a text",
        "compose.yaml: services.d.extends: there is no service 'nobody' in compose.yaml",
        "compose.yaml: services.f.extends: goes in a circle",
        "compose.yaml: services.e.extends: goes in a circle",
        "compose.yaml: services.g: must be a mapping",
        "compose.yaml: services.i.image: must be a text",
        "compose.yaml: services.h.volumes[0].source: must be a text",
        "there.yaml: cannot be read: No such file or directory",
        "compose.yaml: services.b.image: 'Redis' is not an image reference: 'library/Redis' is not a repository path: "
        "each part must be lower-case",
        "compose.yaml: services.c.image: 'a/b/c/d' is not a platform: a platform is os/architecture or "
        "os/architecture/variant; several are for builds only",
    ]
