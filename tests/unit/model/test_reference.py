# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References: the table of the grammar, completion, and the forms they are written in."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import (
    Defaults,
    ImageId,
    Reference,
    candidates,
    check_tag,
    is_registry,
    parse_image,
    parse_reference,
)

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("redis", "docker.io/library/redis:latest", "redis:latest"),
        ("redis:7", "docker.io/library/redis:7", "redis:7"),
        (f"redis@{DIGEST}", f"docker.io/library/redis@{DIGEST}", f"redis@{DIGEST}"),
        (f"redis:7@{DIGEST}", f"docker.io/library/redis:7@{DIGEST}", f"redis:7@{DIGEST}"),
        ("foo/bar", "docker.io/foo/bar:latest", "foo/bar:latest"),
        ("Foo/bar", "Foo/bar:latest", "Foo/bar:latest"),
        ("localhost/bar", "localhost/bar:latest", "localhost/bar:latest"),
        ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
        ("test.com:5000", "docker.io/library/test.com:5000", "test.com:5000"),
        ("example.com", "docker.io/library/example.com:latest", "example.com:latest"),
        ("test.com:5000/x", "test.com:5000/x:latest", "test.com:5000/x:latest"),
        ("test:5000/x:y", "test:5000/x:y", "test:5000/x:y"),
        ("quay.io/team/sub/app:1", "quay.io/team/sub/app:1", "quay.io/team/sub/app:1"),
        ("docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("index.docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("registry-1.docker.io/team/app", "docker.io/team/app:latest", "team/app:latest"),
        ("docker.io/library/redis:7", "docker.io/library/redis:7", "redis:7"),
        ("docker.io/library/a/b:7", "docker.io/library/a/b:7", "library/a/b:7"),
        ("docker.io/my.team/app:7", "docker.io/my.team/app:7", "docker.io/my.team/app:7"),
        ("docker.io/localhost/app:7", "docker.io/localhost/app:7", "docker.io/localhost/app:7"),
        ("[2001:db8::1]:5000/x", "[2001:db8::1]:5000/x:latest", "[2001:db8::1]:5000/x:latest"),
        ("[::1]/x", "[::1]/x:latest", "[::1]/x:latest"),
        ("a__b/c---d/e.f_g:A.b-C_1", "docker.io/a__b/c---d/e.f_g:A.b-C_1", "a__b/c---d/e.f_g:A.b-C_1"),
        ("x:" + "t" * 128, "docker.io/library/x:" + "t" * 128, "x:" + "t" * 128),
        ("long.registry.example.com/" + "a" * 255, f"long.registry.example.com/{'a' * 255}:latest", None),
        (f"sha256:{HEX}", f"docker.io/library/sha256:{HEX}", f"sha256:{HEX}"),
    ],
)
def test_a_reference_is_completed_and_written_both_ways(text: str, canonical: str, familiar: str | None) -> None:
    reference = parse_reference(text)
    assert str(reference) == canonical
    assert reference.familiar == (familiar or canonical)
    assert parse_reference(canonical) == parse_reference(reference.familiar) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "@",
        "/",
        "Redis",
        "quay.io/Team/app",
        "redis:",
        "redis:-x",
        "redis:.x",
        "redis:" + "t" * 129,
        "redis@",
        f"redis@{DIGEST}@{DIGEST}",
        f"redis@{DIGEST[:-1]}",
        f"redis@sha256:{HEX.upper()}",
        "-redis",
        "redis-",
        "a..b",
        "a___b",
        "a._b",
        "a//b",
        "/a",
        "a/",
        "quay.io/",
        "quay.io//a",
        "-quay.io/a",
        "quay..io/a",
        "quay.io:port/a",
        "[fe80::1%eth0]/a",
        "[::1/a",
        "https://quay.io/a",
        "redis ",
        " redis",
        "redis\n",
        "rédis",
        "a" * 256,
        "quay.io/" + "a" * 256,
        HEX,
    ],
)
def test_what_is_no_reference_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_reference(text)
    assert (caught.value.code, caught.value.subject) == ("bad-reference", text)
    assert caught.value.why
    assert caught.value.fix


def test_defaults_complete_short_names_only() -> None:
    defaults = Defaults(registry="registry.example.com", namespaces=("team", "", "a/b"), tag="stable")
    assert [str(name) for name in candidates("app", defaults)] == [
        "registry.example.com/team/app:stable",
        "registry.example.com/app:stable",
        "registry.example.com/a/b/app:stable",
    ]
    assert [str(name) for name in candidates("x/app:1", defaults)] == ["registry.example.com/x/app:1"]
    assert [str(name) for name in candidates("docker.io/app", defaults)] == ["docker.io/library/app:stable"]
    assert [str(name) for name in candidates("quay.io/app", defaults)] == ["quay.io/app:stable"]
    assert str(parse_reference(f"app@{DIGEST}", defaults)) == f"registry.example.com/team/app@{DIGEST}"


def test_a_default_registry_is_normalised() -> None:
    assert parse_reference("app", Defaults(registry="index.docker.io")).registry == "docker.io"


def test_a_bad_default_is_refused() -> None:
    with pytest.raises(InputError):
        parse_reference("app", Defaults(registry="no host/"))
    with pytest.raises(InputError):
        parse_reference("app", Defaults(namespaces=("Upper",)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEX, ImageId(HEX)),
        (f"sha256:{HEX}", ImageId(HEX)),
        ("sha256:0123456789ab", ImageId("0123456789ab")),
        ("0123456789ab", ImageId("0123456789ab", Reference("docker.io", "library/0123456789ab", "latest"))),
        ("0123456789a", Reference("docker.io", "library/0123456789a", "latest")),
        ("0123456789ag", Reference("docker.io", "library/0123456789ag", "latest")),
        ("redis:7", Reference("docker.io", "library/redis", "7")),
    ],
)
def test_an_image_is_named_by_reference_or_id(text: str, expected: Reference | ImageId) -> None:
    assert parse_image(text) == expected


def test_parts_of_a_reference_are_exchanged() -> None:
    reference = parse_reference(f"redis:7@{DIGEST}")
    assert reference.is_pinned
    assert str(reference.with_tag("8")) == "docker.io/library/redis:8"
    assert str(reference.with_digest(Digest.parse(DIGEST))) == f"docker.io/library/redis@{DIGEST}"
    assert str(reference.without_digest()) == "docker.io/library/redis:7"
    by_digest = reference.with_digest(Digest.parse(DIGEST))
    assert by_digest.without_digest() == by_digest
    assert not reference.with_tag("8").is_pinned


@pytest.mark.parametrize("tag", ["7", "_", "a.b-c_d", "A" * 128])
def test_a_tag_passes_the_check(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a/b", "a:b", "A" * 129, "a\n", "ä"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(InputError) as caught:
        check_tag(tag)
    assert caught.value.code == "bad-tag"


@pytest.mark.parametrize("text", ["docker.io", "index.docker.io", "localhost", "registry.test:5000", "[::1]:5000"])
def test_a_registry_is_what_is_read_as_one_before_a_slash(text: str) -> None:
    assert is_registry(text)


@pytest.mark.parametrize("text", ["", "registry", "registry.test/", "https://registry.test", "a b.test"])
def test_what_would_be_read_as_a_namespace_is_no_registry(text: str) -> None:
    assert not is_registry(text)


def test_a_password_typed_into_a_name_is_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        parse_reference("bob:hunter2@registry.test/app:1")
    assert "hunter2" not in str(caught.value) + caught.value.subject + repr(caught.value)
    assert "***@registry.test/app:1" in str(caught.value)
