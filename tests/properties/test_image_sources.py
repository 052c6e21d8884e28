# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of image sources: every format says the same, each image is one entry, nothing but input errors leaves."""

from __future__ import annotations

import contextlib
import json
import tempfile
import typing as t
from pathlib import Path

import yaml
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.plugin_utils.image_sources_variables import VariableError, interpolate
from ansible_collections.fleet.images.tests.support.image_sources import Sources
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.from_regex(r"([a-z]{1,5}\.io/)?[a-z]{1,4}(/[a-z]{1,4})?(:[0-9]\.[0-9]{1,2})?", fullmatch=True)
LISTS = st.lists(NAMES, min_size=1, max_size=6)


def compose(names: list[str]) -> str:
    return yaml.safe_dump({"services": {f"s{at}": {"image": name} for at, name in enumerate(names)}})


def kubernetes(names: list[str]) -> str:
    spec = {"containers": [{"name": "a", "image": name} for name in names]}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "spec": spec})


def lines(names: list[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def images(name: str, text: str) -> list[dict[str, t.Any]]:
    """Return what one file with this text gives."""
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources(Path(folder))
        sources.write({name: text})
        return sources.read(name).images


@given(LISTS)
@settings(max_examples=40, deadline=None)
def test_every_format_says_the_same(names: list[str]) -> None:
    wanted = list({str(parse_reference(name)): name for name in reversed(names)})[::-1]
    for name, text in (
        ("compose.yaml", compose(names)),
        ("pod.yaml", kubernetes(names)),
        ("images.txt", lines(names)),
        ("images.json", json.dumps(names)),
        ("images.yml", yaml.safe_dump({"images": [{"image": name} for name in names]})),
    ):
        found = [str(parse_reference(row["image"])) for row in images(name, text)]
        assert sorted(found) == sorted(wanted), name


@given(LISTS, LISTS)
@settings(max_examples=30, deadline=None)
def test_files_in_any_order_name_the_same_images(one: list[str], two: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources(Path(folder))
        sources.write({"a.yaml": compose(one), "b.yaml": kubernetes(two)})
        sets = [
            {str(parse_reference(row["image"])) for row in sources.read(*order).images}
            for order in (("a.yaml", "b.yaml"), ("b.yaml", "a.yaml"), ("a.yaml", "b.yaml", "a.yaml"))
        ]
        assert sets[0] == sets[1] == sets[2]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), NAMES, st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["services", "image", "images", "include", "extends", "volumes", "build", "platform", "apiVersion"]
                + ["kind", "containers", "spec", "metadata", "name", "type", "source", "a"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["compose", "kubernetes", "list", None]))
@settings(max_examples=200, deadline=None)
def test_no_document_fails_otherwise_than_with_an_input_error(document: object, kind: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sources = Sources(Path(folder))
        sources.write({"x.json": json.dumps(document)})
        with contextlib.suppress(InputError):
            sources.read({"path": "x.json", "format": kind})


@given(st.text(alphabet="ab=[]#;%\\\n .ContainerImage", max_size=80), st.sampled_from(["container", "image", "kube"]))
@settings(max_examples=100, deadline=None)
def test_no_unit_fails_otherwise_than_with_an_input_error(text: str, ending: str) -> None:
    with contextlib.suppress(InputError):
        images(f"x.{ending}", f"[{ending.title()}]\nImage=a\nYaml=b\n{text}")


@given(st.text(alphabet="${}:-?+Ab_1", max_size=24), st.dictionaries(st.sampled_from("Ab_"), st.text(max_size=3)))
def test_variables_are_filled_in_or_told(text: str, variables: dict[str, str]) -> None:
    with contextlib.suppress(VariableError):
        assert "$" in text or interpolate(text, variables) == text
        interpolate(text, variables)


@given(st.text(max_size=20))
def test_a_doubled_dollar_stands_for_itself(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}) == text
