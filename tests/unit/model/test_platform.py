# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: normal forms, and the choice among those of an index."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform, choose


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("i386", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("arm", "linux/arm/v7"),
        ("armhf", "linux/arm/v7"),
        ("armel", "linux/arm/v6"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm/v5", "linux/arm/v5"),
        ("macos/arm64", "darwin/arm64"),
        ("Linux/AMD64", "linux/amd64"),
        (" linux/s390x ", "linux/s390x"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_every_spelling_has_one_normal_form(text: str, normal: str) -> None:
    assert str(Platform.parse(text)) == normal
    assert Platform.parse(normal) == Platform.parse(text)


@pytest.mark.parametrize(
    "text", ["", "/", "linux", "Windows", "linux/", "/amd64", "linux//v7", "linux/arm/v7/x", "a;b", "linux/a b"]
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Platform.parse(text)
    assert (caught.value.code, caught.value.subject) == ("bad-platform", text)


@pytest.mark.parametrize(
    ("wanted", "listed", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64/v2", "linux/386"], 1),
        ("linux/amd64", ["linux/amd64/v2"], None),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4", "linux/386"], 1),
        ("linux/amd64/v4", ["linux/386", "linux/amd64"], 1),
        ("linux/amd64", ["windows/amd64"], None),
        ("linux/386", ["linux/amd64"], None),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], 1),
        ("linux/arm", ["linux/arm/v6", "linux/arm/v7"], 1),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], 1),
        ("linux/arm64", ["linux/arm/v7", "linux/arm/v8"], 1),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], 1),
        ("linux/arm64/v9", ["linux/arm64", "linux/arm64/v8.5"], 1),
        ("linux/arm64/v8.2", ["linux/arm64/v8.3", "linux/arm64", "linux/arm64/v8.1"], 2),
        ("linux/arm64/v9.2", ["linux/arm64/v8.7", "linux/arm64/v9.1"], 1),
        ("linux/arm/v4", ["linux/arm/v4"], 0),
        ("linux/arm64/v8.0", ["linux/arm64/v8.0"], 0),
        ("linux/ppc64le", ["linux/ppc64le"], 0),
        ("linux/ppc64le/power9", ["linux/ppc64le", "linux/ppc64le/power9"], 1),
        ("linux/ppc64le/power9", ["linux/ppc64le/power8", "linux/ppc64le"], 1),
        ("linux/amd64", ["linux/amd64", "linux/amd64"], 0),
        ("linux/amd64", [], None),
    ],
)
def test_the_best_rung_of_the_ladder_wins_then_the_first(wanted: str, listed: list[str], chosen: int | None) -> None:
    assert choose([Platform.parse(text) for text in listed], Platform.parse(wanted)) == chosen


def test_an_entry_without_platform_is_not_chosen() -> None:
    assert choose([None, Platform.parse("linux/amd64")], Platform.parse("linux/amd64")) == 1


@pytest.mark.parametrize("variant", ["v²", "v999999999999", "v" + "9" * 5000, "v8.99999999999", "", "v", "x"])
@pytest.mark.parametrize("architecture", ["amd64", "arm", "arm64", "riscv64"])
def test_a_variant_that_is_no_version_makes_a_short_ladder(architecture: str, variant: str) -> None:
    platform = Platform.of("linux", architecture, variant=variant)
    assert len(platform.ladder()) < 200
    assert platform.satisfies(platform)


def test_json_form_leaves_out_what_is_empty() -> None:
    assert Platform.of("windows", "amd64", os_version="10.0").to_json() == {
        "architecture": "amd64",
        "os": "windows",
        "os.version": "10.0",
    }
