# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables mean what compose makes of them, except that one without a value is never an empty text."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.plugin_utils.image_sources_variables import VariableError, interpolate

VALUES = {"SET": "value", "EMPTY": "", "OTHER": "${SET}"}

# The forms of the Compose Specification's chapter on interpolation.
FORMS = {
    "redis:7": "redis:7",
    "$SET/app": "value/app",
    "${SET}app": "valueapp",
    "a$$SET": "a$SET",
    "$$$$": "$$",
    "price: 5$": "price: 5$",
    "$5": "$5",
    "${EMPTY}x": "x",
    "${SET:-default}": "value",
    "${EMPTY:-default}": "default",
    "${UNSET:-default}": "default",
    "${SET-default}": "value",
    "${EMPTY-default}": "",
    "${UNSET-default}": "default",
    "${UNSET:-}": "",
    "${SET:?needed}": "value",
    "${EMPTY?needed}": "",
    "${SET:+other}": "other",
    "${EMPTY:+other}": "",
    "${EMPTY+other}": "other",
    "${UNSET+other}": "",
    "${UNSET:-${SET}}": "value",
    "${UNSET:-${EMPTY:-${UNSET:-deep}}}": "deep",
    "${UNSET:-$SET}:${UNSET:-1}": "value:1",
    "${OTHER}": "${SET}",
    "${REGISTRY:-quay.io}/app:${TAG:-1.2}@sha256:0": "quay.io/app:1.2@sha256:0",
}
REFUSED = {
    "${UNSET}": "the variable UNSET has no value",
    "$UNSET": "the variable UNSET has no value",
    "${UNSET:?give a tag}": "the variable UNSET has no value: give a tag",
    "${EMPTY:?give a tag}": "the variable EMPTY has no value: give a tag",
    "${UNSET:-${ALSO}}": "the variable ALSO has no value",
    "${SET": "'${SET' has '${' without a '}'",
    "${}": "'${}' names no variable",
    "${5}": "'${5}' names no variable",
    "${SET/a/b}": "'${SET/a/b}' is no form of a variable that compose knows",
}


@pytest.mark.parametrize(("text", "value"), FORMS.items(), ids=FORMS.keys())
def test_a_form_of_the_specification_means_what_compose_makes_of_it(text: str, value: str) -> None:
    assert interpolate(text, VALUES) == value


@pytest.mark.parametrize(("text", "told"), REFUSED.items(), ids=REFUSED.keys())
def test_what_has_no_value_is_refused(text: str, told: str) -> None:
    with pytest.raises(VariableError) as caught:
        interpolate(text, VALUES)
    assert str(caught.value) == told
