# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of digests."""

from __future__ import annotations

import hashlib
import string

from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

USABLE = st.sampled_from(["sha256", "sha384", "sha512"])
FOREIGN = st.builds(
    Digest,
    st.from_regex(r"x[a-z0-9]{0,5}([+._-][a-z][a-z0-9]{0,5}){0,2}", fullmatch=True),
    st.text("0123456789abcdefABCDEF", min_size=32, max_size=80),
)


@given(st.binary(), USABLE)
def test_text_of_a_digest_parses_to_it(content: bytes, algorithm: str) -> None:
    text = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    assert str(Digest.parse(text)) == text
    assert Digest.parse(text).is_of(content)


@given(FOREIGN)
def test_digests_of_foreign_algorithms_keep_their_text(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_a_digest_fits_its_content_only(content: bytes, other: bytes) -> None:
    assert Digest.of(content).is_of(other) == (content == other)


@given(st.one_of(st.text(), st.text(string.hexdigits + ":shax256+._-", max_size=100)))
def test_any_text_is_a_digest_that_prints_itself_or_an_input_error(text: str) -> None:
    try:
        assert str(Digest.parse(text)) == text
    except InputError as error:
        assert error.code == "bad-digest"
