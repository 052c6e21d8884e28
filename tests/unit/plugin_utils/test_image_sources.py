# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of several formats: which one each is, what is wrong with the option, and what cannot be read."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.image_sources import Sources

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: pod:1}]}\n"
FILES = {
    "compose.yaml": "services: {a: {image: composed:1}}",
    "pod.yaml": POD,
    "a.container": "[Container]\nImage=unit:1\n",
    "images.yml": "[listed:1]",
    "images.txt": "line:1\n",
}


def test_each_format_is_known_by_name_or_content(sources: Sources) -> None:
    sources.write(FILES)
    found = sources.read(*FILES)
    assert [row["image"] for row in found.images] == ["composed:1", "pod:1", "unit:1", "listed:1", "line:1"]
    assert found.warnings == []


def test_content_tells_more_than_a_name(sources: Sources) -> None:
    sources.write({"compose.yaml": POD, "pod.k8s": POD, "docker-compose": FILES["compose.yaml"]})
    assert [row["image"] for row in sources.read("compose.yaml").images] == ["pod:1"]
    assert [row["image"] for row in sources.read("pod.k8s").images] == ["pod:1"]
    assert [row["image"] for row in sources.read("docker-compose").images] == ["composed:1"]


def test_a_folder_gives_its_files_in_order_and_leaves_out_others(sources: Sources) -> None:
    sources.write({f"all/{name}": text for name, text in FILES.items()})
    sources.write({"all/values.yaml": "image: {tag: 1}", "all/below/x.container": "[Container]\nImage=below:1\n"})
    assert list(sources.places("all")) == ["unit:1", "composed:1", "listed:1", "pod:1"]
    assert list(sources.places({"path": "all", "format": "quadlet"})) == ["unit:1"]
    assert sources.places("all/")["unit:1"] == ["all/a.container: [Container] Image"]


def test_a_folder_without_images_is_told(sources: Sources) -> None:
    sources.write({"empty/README": "x"})
    assert sources.read("empty").warnings == ["empty: no file there names an image"]


def test_a_file_without_images_is_told(sources: Sources) -> None:
    sources.write({"none.txt": "# nothing yet\n", "service.yaml": "apiVersion: v1\nkind: Service\n", "a.network": ""})
    assert sources.read("none.txt", "service.yaml", "a.network").warnings == [
        "none.txt: it names no image",
        "service.yaml: it names no image",
        "a.network: it names no image",
    ]


def test_one_path_may_stand_for_the_list(sources: Sources) -> None:
    sources.write(FILES)
    assert sources.read("images.txt") == sources.read({"path": "images.txt"})


def test_nothing_is_found_in_nothing(sources: Sources) -> None:
    assert sources.read() == ([], [], [])


def test_what_is_wrong_with_the_option_and_the_files_is_told_at_once(sources: Sources) -> None:
    sources.write({"values.yaml": "image: {tag: 1}", "bad.yaml": "a: [", "list.yml": "a: b", "empty.yaml": ""})
    (sources.folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    rows: list[object] = [
        {"path": "values.yaml", "forma": "list"},
        {"format": "compose"},
        {"path": "values.yaml", "format": "helm"},
        {"path": "values.yaml", "variables": ["A=1"]},
        7,
        "there.yaml",
        "values.yaml",
        "bad.yaml",
        "binary.yaml",
        {"path": "list.yml", "format": "list"},
        {"path": "list.yml", "format": "compose"},
        "empty.yaml",
    ]
    unknown = "is no compose file, no Kubernetes manifest and no list of images"
    problems = sources.problems(*rows)
    assert problems[7].startswith("bad.yaml: is no valid YAML: line ")
    assert problems[:7] + problems[8:] == [
        "from_file[0].forma: unknown option",
        "from_file[1].path: must be the path of a file or folder",
        "from_file[2].format: 'helm' is not one of compose, kubernetes, quadlet, list",
        "from_file[3].variables: must be a mapping of names to texts",
        "from_file[4].path: must be the path of a file or folder",
        "there.yaml: cannot be read: No such file or directory",
        f"values.yaml: {unknown}",
        "binary.yaml: is no text in UTF-8",
        "list.yml: is no list of images",
        "list.yml: is no compose file",
        f"empty.yaml: {unknown}",
    ]


@pytest.mark.parametrize("name", ["images.txt", "images.yml", "a.container"])
def test_an_encrypted_file_is_told_as_what_it_is(sources: Sources, name: str) -> None:
    sources.write({name: "$ANSIBLE_VAULT;1.1;AES256\n6162\n"})
    assert sources.problems(name) == [f"{name}: is encrypted with Ansible Vault"]


def test_a_template_is_told_as_what_it_is(sources: Sources) -> None:
    sources.write({"deploy.yaml": "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {{ .Values.image }}}]}\n"})
    with pytest.raises(InputError, match=r"deploy\.yaml: is no valid YAML: line 3"):
        sources.read("deploy.yaml")
