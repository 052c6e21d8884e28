# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a build's options to what is ordered of the builder."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.task import options
from ansible_collections.fleet.images.plugins.module_utils.task.build_options import build_spec
from ansible_collections.fleet.images.tests.unit.task.params import filled

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec

OPTIONS = filled(options.BUILD)


def ordered(**given: t.Any) -> BuildSpec:
    host = Platform.of("linux", "amd64", variant="v3")
    return build_spec({**OPTIONS, **given}, platform=None, host=host, is_native=False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("0", 0), (" 1793491200 ", 1793491200), ("8589934591", 8**11 - 1)]
)
def test_times_are_the_epoch_of_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, seconds: int) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    assert ordered().source_date_epoch == seconds


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "8589934592", "999999999999", "\u00b2"])
def test_a_time_that_no_header_holds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(InputError) as caught:
        ordered()
    assert caught.value.code == "bad-source-date-epoch"


def test_values_of_args_and_labels_are_what_their_writer_meant() -> None:
    spec = ordered(args={"A": True, "B": None, "C": 1}, labels={"d": False})
    assert spec.args == {"A": "true", "B": "", "C": "1"}
    assert spec.labels == {"d": "false"}


def test_an_image_is_for_hosts_of_any_level_of_the_processor() -> None:
    assert str(ordered().platform) == "linux/amd64"


def test_what_engines_are_told_is_part_of_the_order_and_no_secret_is() -> None:
    nothing = dict.fromkeys(("src", "env", "value"))
    secrets = [{"id": "b", **nothing, "value": "v"}, {"id": "a", **nothing, "src": "/x"}]
    spec = ordered(network="none", squash=True, shm_size="64MiB", etc_hosts={"db": "10.0.0.5"}, secrets=secrets)
    assert (spec.network, spec.squash, spec.shm_size) == ("none", True, 64 * 1024**2)
    assert (spec.etc_hosts, spec.secret_ids, spec.is_native) == ({"db": "10.0.0.5"}, ("a", "b"), False)
