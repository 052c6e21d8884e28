# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests: their grammar, and checking content with them."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError, UnsupportedError

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_content_is_its_sha256() -> None:
    digest = Digest.of(b"")
    assert (digest.algorithm, digest.encoded, str(digest)) == ("sha256", EMPTY, f"sha256:{EMPTY}")
    assert digest.short == EMPTY[:12]


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_content_is_checked_with_every_usable_algorithm(algorithm: str) -> None:
    digest = Digest.parse(f"{algorithm}:{hashlib.new(algorithm, b'content').hexdigest()}")
    assert digest.is_of(b"content")
    assert not digest.is_of(b"Content")


@pytest.mark.parametrize("text", [f"sha256:{EMPTY}", "md5:" + "a" * 32, "sha256+b64u.x-y_z:" + "AB" * 20])
def test_well_formed_text_is_a_digest(text: str) -> None:
    assert str(Digest.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        EMPTY,
        f"sha256:{EMPTY[:-1]}",
        f"sha256:{EMPTY}0",
        f"sha256:{EMPTY.upper()}",
        f"sha256:{EMPTY[:-1]}g",
        f"sha256:{EMPTY}\n",
        f" sha256:{EMPTY}",
        f"sha256;{EMPTY}",
        f"256sha:{EMPTY}",
        f"sha256+:{EMPTY}",
        f"sha256..b:{EMPTY}",
        "md5:" + "a" * 31,
        f"sha512:{EMPTY}",
        f"sha256:../{EMPTY[3:]}",
    ],
)
def test_other_text_is_refused_and_named(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Digest.parse(text)
    assert (caught.value.code, caught.value.subject) == ("bad-digest", text)
    assert caught.value.why
    assert caught.value.fix


def test_an_algorithm_nobody_can_check_parses_but_does_not_hash() -> None:
    digest = Digest.parse("blake3:" + "a" * 64)
    with pytest.raises(UnsupportedError) as caught:
        digest.hasher()
    assert (caught.value.code, caught.value.subject) == ("unknown-digest-algorithm", str(digest))
