# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Orders for what builds in containers: secrets from three places, and what cannot be heeded."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder, Secret
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, UnsupportedError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.task.build_orders import (
    Extras,
    native_lacks,
    needs_buildkit,
    read_secrets,
    refuse_lacking,
    sample_order,
)

if t.TYPE_CHECKING:
    from pathlib import Path

NOTHING = dict.fromkeys(("src", "env", "value"))


def test_secrets_are_read_from_files_the_environment_and_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(b"\x00\xffkey\n")
    monkeypatch.setenv("TOKEN", "t\u00f6ken")
    rows = [
        {**NOTHING, "id": "a", "src": str(tmp_path / "key")},
        {**NOTHING, "id": "b", "env": "TOKEN"},
        {**NOTHING, "id": "c", "value": "given"},
        {**NOTHING, "id": "d", "value": ""},
    ]
    values = [secret.value for secret in read_secrets(rows)]
    assert values == [b"\x00\xffkey\n", "t\u00f6ken".encode(), b"given", b""]


def test_every_secret_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    (tmp_path / "big").write_bytes(bytes(500 * 1024 + 1))
    rows = [
        {**NOTHING, "id": "file", "src": str(tmp_path / "none")},
        {**NOTHING, "id": "variable", "env": "TOKEN"},
        {**NOTHING, "id": "size", "src": str(tmp_path / "big")},
        {**NOTHING, "id": "fine", "value": "horse-battery"},
    ]
    with pytest.raises(ImagesError) as caught:
        read_secrets(rows)
    told = str(caught.value.to_json())
    assert all(word in told for word in ("file", "TOKEN", "larger than", "secret-missing"))
    assert "horse" not in told


def test_without_containers_nothing_that_is_about_steps_is_heeded() -> None:
    assert native_lacks(BuildOrder("Dockerfile", is_cached=False, args={"a": "b"}, target="x")) == ()
    secrets = (Secret("a", b"horse-battery"),)
    order = BuildOrder("Dockerfile", network="host", squash=True, shm_size=1, etc_hosts={"a": "b"}, secrets=secrets)
    lacking = native_lacks(order._replace(cache_from=("r.test/a:1",)))
    names = [row.partition(":")[0] for row in lacking]
    assert names == ["network", "etc_hosts", "shm_size", "secrets", "cache_from", "squash"]
    assert "horse" not in str(lacking)


def test_what_is_lacking_is_refused_with_its_reason() -> None:
    refuse_lacking((), engine="layout", path="name")
    with pytest.raises(UnsupportedError) as caught:
        refuse_lacking(("network: why so", "squash: therefore"), engine="layout", path="images[2]")
    error = caught.value
    assert (error.code, error.subject) == ("build-option-unsupported", "images[2]")
    assert error.what == "With engine layout this build cannot heed network, squash"
    assert error.why == "network: why so; squash: therefore"


@pytest.mark.parametrize(
    ("steps", "is_needed"),
    [
        ("RUN make", False),
        ("COPY --chown=1:1 a /", False),
        ("RUN --mount=type=cache,target=/c make", True),
        ("RUN --network=none make", True),
        ("RUN <<END\nmake\nEND", True),
        ("COPY --chmod=700 a /", True),
        ("COPY --link a /", True),
        ("COPY --parents a /", True),
    ],
)
def test_buildkit_is_needed_for_what_the_classic_builder_does_not_know(
    tmp_path: Path, steps: str, is_needed: bool
) -> None:
    (tmp_path / "a").write_text("a", encoding="utf-8")
    text = f"FROM base AS aside\nRUN --mount=type=cache,target=/c make\nFROM base\n{steps}\n"
    spec = BuildSpec(str(tmp_path), Platform("linux", "amd64"), dockerfile_inline=text, is_native=False)
    assert needs_buildkit(load_build(spec)) is is_needed


@pytest.mark.parametrize(
    ("args", "syntax"),
    [({}, "docker/dockerfile:1"), ({"BUILDKIT_SYNTAX": "r.test/syntax:2"}, "r.test/syntax:2")],
)
def test_an_order_tells_what_reads_the_dockerfile(tmp_path: Path, args: dict[str, str], syntax: str) -> None:
    text = "# syntax=docker/dockerfile:1\nFROM base\n"
    spec = BuildSpec(str(tmp_path), Platform("linux", "amd64"), dockerfile_inline=text, args=args, is_native=False)
    assert sample_order(load_build(spec), Extras()).syntax == syntax
