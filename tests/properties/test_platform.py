# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of platforms: one normal form, and a choice that only the ladder and the order decide."""

from __future__ import annotations

from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.fields import Fields
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform, choose
from hypothesis import given
from hypothesis import strategies as st

ARCHITECTURES = st.sampled_from(
    ["amd64", "x86_64", "386", "i686", "arm", "armhf", "armel", "armv7l", "arm64", "aarch64", "riscv64", "s390x"]
)
VARIANTS = st.sampled_from(["", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "8", "7", "v9", "v8.1", "v9.2", "V7"])
PLATFORMS = st.builds(
    Platform.of, st.sampled_from(["linux", "Linux", "macos", "windows"]), ARCHITECTURES, variant=VARIANTS
)


@given(PLATFORMS)
def test_a_platform_is_in_normal_form_and_parses_from_its_text(platform: Platform) -> None:
    assert Platform.of(platform.os, platform.architecture, variant=platform.variant) == platform
    assert Platform.parse(str(platform)) == platform


@given(st.text(), st.text(), st.text(), st.text())
def test_normalising_any_words_is_idempotent(os: str, architecture: str, variant: str, version: str) -> None:
    once = Platform.of(os, architecture, variant=variant, os_version=version)
    assert Platform.of(once.os, once.architecture, variant=once.variant, os_version=once.os_version) == once
    assert once.satisfies(once)


@given(PLATFORMS, st.text(max_size=5))
def test_json_keeps_a_platform(platform: Platform, version: str) -> None:
    platform = platform._replace(os_version=version)
    assert Platform.from_json(Fields(platform.to_json())) == platform


@given(st.one_of(st.text(), st.text("linuxarm64v/.78 ", max_size=20)))
def test_any_text_is_a_platform_with_a_fixed_form_or_an_input_error(text: str) -> None:
    try:
        platform = Platform.parse(text)
    except InputError as error:
        assert error.code == "bad-platform"
        return
    assert Platform.parse(str(platform)) == platform


@given(PLATFORMS, st.lists(st.none() | PLATFORMS, max_size=8))
def test_the_choice_is_the_first_of_the_best_that_the_host_runs(
    wanted: Platform, listed: list[Platform | None]
) -> None:
    fitting = [at for at, platform in enumerate(listed) if platform is not None and platform.satisfies(wanted)]
    chosen = choose(listed, wanted)
    assert (chosen is None) == (not fitting)
    if chosen is None:
        return
    assert chosen == listed.index(listed[chosen])
    best = listed[chosen]
    for at in fitting:
        assert choose([listed[at], best], wanted) == (0 if listed[at] == best else 1)


@given(PLATFORMS, st.lists(PLATFORMS, max_size=8))
def test_a_host_takes_its_own_platform_where_it_is_listed(wanted: Platform, listed: list[Platform]) -> None:
    rungs = wanted.ladder()
    assert len(set(rungs)) == len(rungs)
    at = choose([*listed, wanted], wanted)
    assert at is not None
    better = rungs[: rungs.index((wanted.architecture, wanted.variant))]
    assert at == len(listed) or listed[at] == wanted or (listed[at].architecture, listed[at].variant) in better
