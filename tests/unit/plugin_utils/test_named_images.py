# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names as filters read them, and options as the lookup reads them, before any registry is asked."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fleet.images.plugins.filter.familiar import FilterModule as Familiar
from ansible_collections.fleet.images.plugins.filter.reference import FilterModule as Reference
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.plugin_utils.named_images import digests_of

reference = Reference().filters()["reference"]
familiar = Familiar().filters()["familiar"]
DIGEST = "sha256:" + "a" * 64


def asked(*names: object, **options: t.Any) -> list[str]:
    """Return the problems that the lookup tells; fails if there are none."""
    with pytest.raises(InputError) as caught:
        digests_of(names, options, beside=str)
    return [f"{problem.path}: {problem.what}" for problem in caught.value.problems]


def test_the_parts_of_a_name_are_complete() -> None:
    assert reference("redis:7") == {
        "registry": "docker.io",
        "path": "library/redis",
        "repository": "docker.io/library/redis",
        "tag": "7",
        "digest": "",
        "familiar": "redis:7",
        "full": "docker.io/library/redis:7",
    }
    assert reference(f"localhost:5000/a/b@{DIGEST}") == {
        "registry": "localhost:5000",
        "path": "a/b",
        "repository": "localhost:5000/a/b",
        "tag": "",
        "digest": DIGEST,
        "familiar": f"localhost:5000/a/b@{DIGEST}",
        "full": f"localhost:5000/a/b@{DIGEST}",
    }


def test_a_name_with_tag_and_digest_keeps_both() -> None:
    parts = reference(f"app:1@{DIGEST}")
    assert (parts["tag"], parts["digest"], parts["familiar"]) == ("1", DIGEST, f"app:1@{DIGEST}")


def test_short_names_are_completed_as_the_defaults_say() -> None:
    defaults = {"default_registry": "quay.io", "default_namespaces": ["team", "other"], "default_tag": "stable"}
    assert reference("app", **defaults)["full"] == "quay.io/team/app:stable"
    assert familiar("docker.io/library/redis:7") == "redis:7"
    assert familiar("app", **defaults) == "quay.io/team/app:stable"


@pytest.mark.parametrize("name", ["Redis", "a b", "", "a" * 64, "user:pass@host/x"])
def test_what_is_no_name_is_told_with_the_filter(name: str) -> None:
    for filter_, called in ((reference, "reference"), (familiar, "familiar")):
        with pytest.raises(AnsibleFilterError, match=rf"fleet\.images\.{called}: .*is not an image reference"):
            filter_(name)


@pytest.mark.parametrize("name", [None, 7, ["redis"], {}])
def test_a_value_of_another_kind_is_told(name: object) -> None:
    with pytest.raises(AnsibleFilterError, match="the name of an image must be a text"):
        reference(name)


def test_an_unknown_option_of_a_filter_is_told() -> None:
    with pytest.raises(AnsibleFilterError, match=r"fleet\.images\.familiar: .*registry"):
        familiar("redis", registry="quay.io")


def test_all_that_is_wrong_with_names_is_told_before_a_registry_is_asked() -> None:
    assert asked("No", "redis", "sha256:" + "b" * 64, parallel=0, password="x", platform="a/b/c/d") == [
        "parallel: 0 is too little",
        "password: it is given without a username",
        "term 1: 'No' is not an image reference: 'library/No' is not a repository path: each part must be lower-case",
        f"term 3: 'sha256:{'b' * 64}' is an image ID, a name is needed here",
        "platform: 'a/b/c/d' is not a platform: a platform is os/architecture or os/architecture/variant; several are "
        "for builds only",
    ]


@pytest.mark.parametrize(
    "options", [{"retry": "many"}, {"engine": "docker"}, {"mirrors": []}, {"registry_auth": [{"username": "a"}]}]
)
def test_an_option_that_the_lookup_has_not_or_of_another_type_is_told(options: dict[str, t.Any]) -> None:
    (problem,) = asked("redis", **options)
    assert next(iter(options)) in problem


def test_one_log_in_is_not_sent_to_two_registries() -> None:
    with pytest.raises(InputError) as caught:
        digests_of(["redis", "quay.io/a/b"], {"username": "u", "password": "Pa55"}, beside=str)
    assert caught.value.code == "credentials-for-several-registries"
    assert "Pa55" not in str(caught.value)
