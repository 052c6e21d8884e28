# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quadlet files: what podman would pull for each kind of unit, with drop-ins and references between units."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.image_sources import Sources

WEB = """\
# a comment
[Unit]
Description=Image=not-this
[Container]
; another
Image=quay.io/team/old:1
Image = quay.io/team/web:2
Exec=run \\
# in between
  Image=not-this-either
Mount=type=image,source=quay.io/team/site:1,destination=/site
Mount=type=bind,source=/srv,destination=/srv
Mount="type=image",src=data.image,dst=/data
[Install]
Image=nor-this
"""
UNITS = {
    "web.container": WEB,
    "data.image": "[Image]\nImage=docker://quay.io/team/data:1\nArch=arm64\nVariant=v8\nOS=linux\n",
    "stuff.volume": "[Volume]\nDriver=image\nImage=quay.io/team/stuff:1\n",
    "plain.volume": "[Volume]\nDevice=tmpfs\n",
    "site.build": "[Build]\nImageTag=localhost/site\n",
    "site.container": "[Container]\nImage=site.build\n",
    "root.container": "[Container]\nRootfs=/srv/root\n",
    "app@.container": "[Container]\nImage=quay.io/team/app:%i\n",
    "saved.image": "[Image]\nImage=docker-archive:/srv/a.tar\n",
    "pods.kube": "[Kube]\nYaml=pods/pod.yaml\nYaml=https://example.com/pod.yaml\n",
    "pods/pod.yaml": "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: quay.io/team/pod:1}]}\n",
    "net.network": "[Network]\n",
    "README.md": "Image=none\n",
    ".hidden.container": "[Container]\nImage=none\n",
}


def test_a_folder_of_units_gives_what_podman_would_pull(sources: Sources) -> None:
    sources.write({f"units/{name}": text for name, text in UNITS.items()})
    found = sources.read("units")
    assert found.images == [
        {"image": "quay.io/team/data:1", "platform": "linux/arm64/v8"},
        {"image": "quay.io/team/pod:1"},
        {"image": "quay.io/team/stuff:1"},
        {"image": "quay.io/team/web:2"},
        {"image": "quay.io/team/site:1"},
    ]
    assert [row["found"] for row in found.sources] == [
        ["units/data.image: [Image] Image"],
        ["units/pods/pod.yaml: Pod spec.containers[0].image"],
        ["units/stuff.volume: [Volume] Image"],
        ["units/web.container: [Container] Image"],
        ["units/web.container: [Container] Mount[0]"],
    ]
    assert found.warnings == [
        "units/app@.container: [Container] Image: only systemd can fill in its %, so no image is taken from there",
        "units/pods.kube: [Kube] Yaml: it is not on the control node, and not read",
        "units/saved.image: [Image] Image: no registry has it, so no image is taken from there",
        "units/site.build: [Build]: built and not pulled, so no image is taken from there",
        "units/site.container: [Container] Image: built and not pulled, so no image is taken from there",
    ]


@pytest.mark.parametrize(
    ("drop_in", "image"),
    [("[Container]\nImage=a:2\n", "a:2"), ("[Container]\nImage=\nImage=a:3\n", "a:3"), ("[Service]\nImage=x\n", "a:1")],
)
def test_a_drop_in_goes_over_its_unit(sources: Sources, drop_in: str, image: str) -> None:
    sources.write({"a.container": "[Container]\nImage=a:1\n", "a.container.d/10.conf": drop_in})
    assert sources.read("a.container").images == [{"image": image}]


def test_a_unit_without_image_or_with_one_that_is_not_there_is_told(sources: Sources) -> None:
    sources.write(
        {
            "a.container": "[Container]\nExec=x\n",
            "b.container": "[Container]\nImage=c.image\n",
            "d.kube": "[Kube]\n",
            "e.kube": "[Kube]\nYaml=f.yaml\n",
            "g.txt": "[Container]\nImage=x\n",
            "h.container": "[Container]\nImage=a.image\n",
            "a.image": "[Image]\nImage=\n",
        }
    )
    names = ["a.container", "b.container", "d.kube", "e.kube", {"path": "g.txt", "format": "quadlet"}, "h.container"]
    assert sources.problems(*names) == [
        "a.container: section [Container] has no Image",
        "b.container: [Container] Image: there is no c.image beside it",
        "d.kube: section [Kube] has no Yaml",
        "f.yaml: cannot be read: No such file or directory",
        "g.txt: is no quadlet file",
        "a.image: section [Image] has no Image",
    ]
