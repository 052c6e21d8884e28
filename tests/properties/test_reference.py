# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of references: parse and format are inverse, completion is idempotent, nothing but input errors leaves."""

from __future__ import annotations

import string

from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import (
    Defaults,
    ImageId,
    Reference,
    candidates,
    parse_image,
    parse_reference,
)
from hypothesis import assume, given
from hypothesis import strategies as st

COMPONENT = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}", fullmatch=True)
PATHS = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)
HOSTS = st.one_of(
    st.just("docker.io"),
    st.just("localhost"),
    st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){1,3}(:[0-9]{1,5})?", fullmatch=True),
    st.from_regex(r"[a-z]{1,8}:[0-9]{1,5}", fullmatch=True),
    st.from_regex(r"[A-Z][a-zA-Z0-9]{0,8}", fullmatch=True),
    st.just("[2001:db8::1]:5000"),
)
TAGS = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", fullmatch=True)
DIGESTS = st.binary().map(Digest.of)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """Return references as parsing makes them: on Docker Hub a path has a namespace; a tag, a digest, or both."""
    registry, path = draw(HOSTS), draw(PATHS)
    assume(registry not in ("index.docker.io", "registry-1.docker.io"))
    if registry == "docker.io" and "/" not in path:
        path = f"library/{path}"
    digest = draw(st.none() | DIGESTS)
    tag = draw(TAGS if digest is None else st.none() | TAGS)
    return Reference(registry, path, tag, digest)


@given(references())
def test_every_form_of_a_reference_parses_to_it(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference
    assert parse_image(reference.familiar) == reference
    assert len(reference.familiar) <= len(str(reference))


@given(references(), HOSTS, st.lists(COMPONENT, max_size=3), TAGS)
def test_defaults_do_not_touch_what_is_complete(
    reference: Reference, registry: str, namespaces: list[str], tag: str
) -> None:
    assert candidates(str(reference), Defaults(registry, tuple(namespaces), tag)) == [reference]


@given(references(), TAGS, DIGESTS)
def test_exchanging_parts_keeps_the_repository(reference: Reference, tag: str, digest: Digest) -> None:
    changed = [reference.with_tag(tag), reference.with_digest(digest), reference.without_digest()]
    assert {other.repository for other in changed} == {reference.repository}
    assert [parse_reference(str(other)) for other in changed] == changed
    assert reference.without_digest().without_digest() == reference.without_digest()


NEARLY = st.text(string.ascii_letters + string.digits + "./:@-_[]", max_size=60)


@given(st.one_of(st.text(), NEARLY, st.builds("{}@{}".format, NEARLY, DIGESTS)))
def test_any_text_is_a_reference_with_a_fixed_form_or_an_input_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InputError as error:
        assert error.code == "bad-reference"
        return
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference


@given(st.text("0123456789abcdef", min_size=1, max_size=70), st.booleans())
def test_hexadecimal_text_is_an_id_or_a_name_and_never_lost(text: str, has_algorithm: bool) -> None:
    found = parse_image(f"sha256:{text}" if has_algorithm else text)
    if isinstance(found, ImageId):
        assert found.prefix == text
        assert 12 <= len(text) <= 64
    else:
        assert text in str(found)
