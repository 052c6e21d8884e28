# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of the typed getters: whatever the JSON, they return their type or raise the one error, with a path."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.fields import Fields
from hypothesis import given
from hypothesis import strategies as st

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary().map(lambda b: str(Digest.of(b)))
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
TYPES: dict[str, t.Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "optional_text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "size": lambda value: type(value) is int and value >= 0,
    "digest": lambda value: isinstance(value, Digest),
    "digests": lambda value: isinstance(value, list) and all(isinstance(row, Digest) for row in value),
    "object": lambda value: isinstance(value, Fields),
    "optional_object": lambda value: value is None or isinstance(value, Fields),
    "objects": lambda value: isinstance(value, list) and all(isinstance(row, Fields) for row in value),
    "texts": lambda value: isinstance(value, list) and all(isinstance(row, str) for row in value),
    "text_map": lambda value: isinstance(value, dict) and all(isinstance(row, str) for row in value.values()),
}


@given(st.sampled_from(sorted(TYPES)), JSON, st.booleans())
def test_a_getter_returns_its_type_or_raises_its_error(getter: str, value: object, is_there: bool) -> None:
    fields = Fields({"key": value} if is_there else {}, "document", "top")
    try:
        found = getattr(fields, getter)("key")
    except PeerError as error:
        assert error.code == "wrong-shape"
        assert error.subject.startswith("top.key")
        assert error.why.startswith(error.subject)
    else:
        assert TYPES[getter](found)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_peer_error(raw: bytes) -> None:
    try:
        fields = Fields.of_bytes(raw, what="document")
    except PeerError as error:
        assert error.code in ("not-json", "wrong-shape")
    else:
        assert fields.values == json.loads(raw) or "NaN" in raw.decode()
