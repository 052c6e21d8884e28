# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What references mean at registries, and what asking costs."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.sources import Mirrors
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    AuthError,
    ImagesError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import stored_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.mirror import Mirror
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import (
    Answers,
    Question,
    Questions,
    RemoteQuestion,
)
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.task import resolve as module
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.tests.support import images
from ansible_collections.fleet.images.tests.support.images import Blob, MadeIndex
from ansible_collections.fleet.images.tests.support.memory_engine import (
    AMD64,
    ARM64,
    MemoryRegistries,
    MemoryRepository,
    descriptor_of,
)
from ansible_collections.fleet.images.tests.unit.plan.stories import image, index

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.resolved import Resolved
    from ansible_collections.fleet.images.plugins.module_utils.task.resolve import OpenRegistry
    from ansible_collections.fleet.images.tests.support.images import MadeImage
    from ansible_collections.fleet.images.tests.support.registry import Registry

ONE, BOTH = image(1), index(2)
NOWHERE = Platform("linux", "s390x")


def question(
    *names: str, platform: Platform = AMD64, is_strict: bool = False, known: t.Sequence[str] = ()
) -> Question:
    digests = frozenset(map(Digest.parse, known))
    return Question(tuple(map(parse_reference, names)), platform, is_strict, digests)


def opener(registries: MemoryRegistries) -> OpenRegistry:
    return t.cast("OpenRegistry", registries)


def resolve(registries: MemoryRegistries, asked: Question) -> Resolved:
    return module.resolve_image(asked, registry=opener(registries))


@pytest.fixture
def registries() -> MemoryRegistries:
    return MemoryRegistries()


class Refusing(MemoryRepository):
    """A repository that refuses."""

    def fetch_manifest(self, reference: Reference) -> t.NoReturn:
        raise AuthError("refused", code="denied", subject=str(reference))

    def resolve(self, reference: Reference) -> t.NoReturn:
        raise AuthError("refused", code="denied", subject=str(reference))


def test_an_image_of_one_platform_costs_one_request(registries: MemoryRegistries) -> None:
    registries.push("app:1", ONE)
    resolved = resolve(registries, question("app:1"))
    assert registries.requests == ["GET docker.io/library/app:1"]
    assert resolved.identity == Identity(Digest.parse(ONE.digest), Digest.parse(ONE.config.digest))
    assert resolved.platform is None


def test_an_image_of_an_index_costs_two(registries: MemoryRegistries) -> None:
    registries.push("app:1", BOTH)
    resolved = resolve(registries, question("app:1", platform=ARM64))
    child = BOTH.images[1]
    assert registries.requests == ["GET docker.io/library/app:1", f"GET docker.io/library/app@{child.digest}"]
    assert resolved.platform == ARM64
    assert str(resolved.identity.digest) == BOTH.digest
    assert str(resolved.identity.manifest_digest) == child.digest


def test_a_digest_that_is_known_costs_a_head_request_and_no_manifest(registries: MemoryRegistries) -> None:
    registries.push("app:1", BOTH)
    resolved = resolve(registries, question("app:1", known=[BOTH.digest, ONE.digest]))
    assert registries.requests == ["HEAD docker.io/library/app:1"]
    assert (resolved.manifest, str(resolved.identity.index_digest)) == (None, BOTH.digest)


def test_a_digest_that_moved_is_fetched_after_the_head_request(registries: MemoryRegistries) -> None:
    registries.push("app:1", ONE)
    resolve(registries, question("app:1", known=[BOTH.digest]))
    assert registries.requests == ["HEAD docker.io/library/app:1", "GET docker.io/library/app:1"]


def test_a_platform_that_an_index_lacks_is_told_with_those_it_has(registries: MemoryRegistries) -> None:
    registries.push("app:1", BOTH)
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("app:1", platform=NOWHERE))
    assert caught.value.code == "platform-missing"
    assert caught.value.what == "docker.io/library/app:1 does not exist for linux/s390x"
    assert caught.value.why == "it exists for: linux/amd64, linux/arm64"


def test_attestations_are_not_told_as_platforms(registries: MemoryRegistries) -> None:
    attested = images.make_index([image(1), image(2, platform="unknown/unknown")])
    registries.push("app:1", attested)
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("app:1", platform=NOWHERE))
    assert caught.value.why == "it exists for: linux/amd64"


def test_an_empty_index_has_no_platform(registries: MemoryRegistries) -> None:
    registries.push("app:1", images.make_index([]))
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("app:1"))
    assert caught.value.why == "it exists for: none with a platform"


def test_a_named_platform_is_looked_for_in_the_config_of_a_single_image(registries: MemoryRegistries) -> None:
    registries.push("app:1", ONE)
    resolved = resolve(registries, question("app:1", is_strict=True))
    assert resolved.platform == AMD64
    assert registries.requests[1:] == [f"GET docker.io/library/app@{ONE.config.digest}"]
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("app:1", platform=ARM64, is_strict=True))
    assert (caught.value.code, caught.value.why) == ("platform-missing", "it exists for: linux/amd64")
    assert resolve(registries, question("app:1", platform=ARM64)).platform is None


def test_an_index_that_leads_to_an_index_is_an_error(registries: MemoryRegistries) -> None:
    nested = MadeIndex(
        Blob(
            images.OCI_INDEX,
            images._json(
                {
                    "schemaVersion": 2,
                    "mediaType": images.OCI_INDEX,
                    "manifests": [
                        {**BOTH.manifest.descriptor, "platform": {"os": "linux", "architecture": "amd64"}}
                    ],
                }
            ),
        ),
        (),
    )
    registries.push("app:inner", BOTH)
    registries.push("app:1", nested)
    with pytest.raises(PeerError) as caught:
        resolve(registries, question("app:1"))
    assert caught.value.code == "nested-index"


def test_meanings_of_a_name_are_tried_in_order_while_they_do_not_exist(registries: MemoryRegistries) -> None:
    registries.push("c/app:1", ONE)
    resolved = resolve(registries, question("a/app:1", "b/app:1", "c/app:1", "d/app:1"))
    assert str(resolved.reference) == "docker.io/c/app:1"
    assert registries.requests == [f"GET docker.io/{space}/app:1" for space in "abc"]


def test_of_names_that_do_not_exist_the_first_is_told(registries: MemoryRegistries) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("a/app:1", "b/app:1"))
    assert caught.value.subject == "docker.io/a/app:1"


def test_a_refusal_is_no_reason_to_take_another_meaning(registries: MemoryRegistries) -> None:
    registries.place(parse_reference("a/app:1"), Refusing([], "a"))
    registries.push("b/app:1", ONE)
    with pytest.raises(AuthError):
        resolve(registries, question("a/app:1", "b/app:1"))


def test_a_missing_platform_is_no_reason_to_take_another_meaning(registries: MemoryRegistries) -> None:
    registries.push("a/app:1", BOTH)
    registries.push("b/app:1", index(3, "linux/s390x"))
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("a/app:1", "b/app:1", platform=NOWHERE))
    assert caught.value.subject == "docker.io/a/app:1"


def test_an_image_that_the_registry_lost_is_no_reason_to_take_another_meaning(registries: MemoryRegistries) -> None:
    registries.push("a/app:1", BOTH)
    registries(parse_reference("a/app:1")).lose(BOTH.images[0].digest)
    registries.push("b/app:1", ONE)
    with pytest.raises(NotFoundError) as caught:
        resolve(registries, question("a/app:1", "b/app:1"))
    assert caught.value.code == "blob-not-found"


def test_remote_digests_are_those_of_tags_and_none_where_there_is_no_tag(registries: MemoryRegistries) -> None:
    registries.push("app:1", ONE)
    asked = Questions((), (RemoteQuestion(parse_reference("app:1")), RemoteQuestion(parse_reference("app:2"))))
    answers = module.resolve(asked, registry=opener(registries), parallel=1)
    assert [remote and remote.digest for remote in answers.remotes.values()] == [Digest.parse(ONE.digest), None]
    assert registries.requests == ["HEAD docker.io/library/app:1", "HEAD docker.io/library/app:2"]


def test_nothing_asked_opens_no_registry() -> None:
    def refuse(reference: Reference) -> t.NoReturn:
        raise AssertionError(f"{reference} was opened")

    assert module.resolve(Questions((), ()), registry=refuse, parallel=4) == Answers()


@pytest.mark.parametrize("parallel", [1, 2, 8])
def test_all_errors_are_told_by_name(registries: MemoryRegistries, parallel: int) -> None:
    registries.place(parse_reference("r.test/app:1"), Refusing([], "r"))
    registries.push("fine:1", ONE)
    asked = Questions(
        (question("gone:1"), question("fine:1"), question("r.test/app:1")),
        (RemoteQuestion(parse_reference("r.test/app:2")),),
    )
    with pytest.raises(ApplyError) as caught:
        module.resolve(asked, registry=opener(registries), parallel=parallel)
    assert {name: error.code for name, error in caught.value.failed.items()} == {
        "docker.io/library/gone:1": "image-not-found",
        "r.test/app:1": "denied",
        "r.test/app:2": "denied",
    }


def test_one_error_is_told_as_it_is(registries: MemoryRegistries) -> None:
    with pytest.raises(NotFoundError):
        module.resolve(Questions((question("gone:1"), ), ()), registry=opener(registries), parallel=2)


def test_answers_keep_the_order_of_the_questions(registries: MemoryRegistries) -> None:
    asked = tuple(question(f"app:{number}") for number in range(20))
    for number in range(20):
        registries.push(f"app:{number}", image(number))
    answers = module.resolve(Questions(asked, ()), registry=opener(registries), parallel=5)
    assert list(answers.images) == list(asked)
    assert [str(got.identity.manifest_digest) for got in answers.images.values()] == [
        image(number).digest for number in range(20)
    ]


def test_an_error_that_is_not_explained_is_a_bug_and_escapes() -> None:
    def fail(number: int) -> int:
        return number // 0

    with pytest.raises(ZeroDivisionError):
        module.in_parallel([1, 2, 3], fail, parallel=2)


def test_errors_stand_in_the_place_of_answers() -> None:
    def answer(number: int) -> int:
        if number == 2:
            raise ImagesError("two", code="two")
        return number

    got = module.in_parallel([1, 2, 3], answer, parallel=2)
    assert [value if isinstance(value, int) else value.code for value in got.values()] == [1, "two", 3]


def test_stored_manifests_are_read_by_digest_and_indexes_refused(registries: MemoryRegistries) -> None:
    registries.push("app:1", BOTH)
    content = registries(parse_reference("app:1"))
    child = BOTH.images[0]
    got = stored_manifest(Digest.parse(child.digest), read=content.read)
    assert got.descriptor == descriptor_of(child.manifest)
    with pytest.raises(PeerError) as caught:
        stored_manifest(Digest.parse(BOTH.digest), read=content.read)
    assert caught.value.code == "nested-index"


# --- mirrors ------------------------------------------------------------------------------------------------------


class Unreachable(MemoryRepository):
    """A repository at a registry that is down; notes that it was asked."""

    def _fail(self, *_what: t.Any, **_more: t.Any) -> t.Any:
        self._requests.append(f"no way to {self._path}")
        raise UnavailableError("nobody is there", code="connection-refused")

    resolve = fetch_manifest = has = read = open = _fail


def mirrors_of(registries: MemoryRegistries, *locations: str) -> Mirrors:
    return Mirrors([Mirror("docker.io", location) for location in locations], open=registries)


def test_a_tag_is_asked_of_the_origin_and_what_it_leads_to_of_the_mirrors(registries: MemoryRegistries) -> None:
    for name in ("app:1", "m.test/library/app:1"):
        registries.push(name, BOTH)
    mirrors = mirrors_of(registries, "m.test")
    got = module.resolve_image(question("app:1"), registry=opener(registries), mirrors=mirrors)
    child = BOTH.images[0].digest
    assert registries.requests == ["GET docker.io/library/app:1", f"GET m.test/library/app@{child}"]
    assert (str(got.reference), str(got.identity.manifest_digest)) == ("docker.io/library/app:1", child)
    assert got.index_raw == BOTH.manifest.data


def test_a_tag_that_a_mirror_has_otherwise_is_what_the_origin_says(registries: MemoryRegistries) -> None:
    registries.push("app:1", ONE)
    registries.push("m.test/library/app:1", image(7))
    mirrors = mirrors_of(registries, "m.test")
    got = module.resolve_image(question("app:1", known=[BOTH.digest]), registry=opener(registries), mirrors=mirrors)
    assert str(got.identity.digest) == ONE.digest


@pytest.mark.parametrize("suffix", ["@{}", ":1@{}"])
@pytest.mark.parametrize("is_strict", [False, True])
def test_what_is_pinned_needs_no_origin_where_a_mirror_has_it(
    registries: MemoryRegistries, suffix: str, is_strict: bool
) -> None:
    registries.place(parse_reference("app"), Unreachable(registries.requests, "origin"))
    mirrors = mirrors_of(registries, "m.test")
    pair: tuple[MadeImage | MadeIndex, ...] = (ONE, BOTH)
    for made in pair:
        registries.push("m.test/library/app:x", made)
        asked = question("app" + suffix.format(made.digest), is_strict=is_strict)
        got = module.resolve_image(asked, registry=opener(registries), mirrors=mirrors)
        assert str(got.identity.digest) == made.digest
        assert got.reference == asked.references[0]
        again = module.resolve_image(
            asked._replace(known=frozenset([Digest.parse(made.digest)])), registry=opener(registries), mirrors=mirrors
        )
        assert again.manifest is None
    assert [row for row in registries.requests if "origin" in row] == []


def test_documents_that_mirrors_lack_are_asked_of_the_origin(registries: MemoryRegistries) -> None:
    registries.push("app:1", BOTH)
    pinned = question(f"app@{BOTH.digest}")
    mirrors = mirrors_of(registries, "m.test")
    got = module.resolve_image(pinned, registry=opener(registries), mirrors=mirrors)
    assert str(got.identity.digest) == BOTH.digest
    child = BOTH.images[0].digest
    assert registries.requests == [
        f"GET m.test/library/app@{BOTH.digest}",
        f"GET docker.io/library/app@{BOTH.digest}",
        f"GET m.test/library/app@{child}",
        f"GET docker.io/library/app@{child}",
    ]


def test_a_mirror_that_is_down_is_asked_once_for_all_documents(registries: MemoryRegistries) -> None:
    registries.push("app:1", BOTH)
    registries.place(parse_reference("m.test/library/app"), Unreachable(registries.requests, "mirror"))
    digests = [BOTH.digest, *(made.digest for made in BOTH.images)]
    asked = Questions(tuple(question(f"app@{digest}") for digest in digests), ())
    mirrors = mirrors_of(registries, "m.test")
    module.resolve(asked, registry=opener(registries), parallel=1, mirrors=mirrors)
    assert registries.requests.count("no way to mirror") == 1


def test_a_mirror_that_sends_another_type_than_the_document_is_of_is_passed_over(
    registries: MemoryRegistries, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("app:1", "m.test/library/app:1"):
        registries.push(name, ONE)
    liar = registries(parse_reference("m.test/library/app"))
    mistyped = descriptor_of(ONE.manifest)._replace(media_type=images.DOCKER_MANIFEST)
    monkeypatch.setattr(liar, "fetch_manifest", lambda _reference: (ONE.manifest.data, mistyped))
    mirrors = mirrors_of(registries, "m.test")
    asked = question(f"app@{ONE.digest}")
    got = module.resolve_image(asked, registry=opener(registries), mirrors=mirrors)
    assert str(got.identity.digest) == ONE.digest


def test_without_an_answer_anywhere_the_origin_is_told_with_the_mirrors_beside_it(
    registries: MemoryRegistries,
) -> None:
    registries.place(parse_reference("m.test/library/app"), Unreachable([], "mirror"))
    with pytest.raises(NotFoundError) as caught:
        module.resolve_image(
            question(f"app@{ONE.digest}"), registry=opener(registries), mirrors=mirrors_of(registries, "m.test")
        )
    assert caught.value.code == "image-not-found"
    assert caught.value.why.endswith("; the mirror m.test/library/app: nobody is there")


def test_a_real_registry_says_the_same(shared_registry: Registry) -> None:
    images.push(shared_registry, "resolve/app", ONE, tag="one")
    images.push(shared_registry, "resolve/app", BOTH, tag="both")
    one, both = (shared_registry.reference("resolve/app", tag) for tag in ("one", "both"))
    with Registries(credentials=CredentialSource()) as registries:
        asked = Questions(
            (
                question(one),
                question(both, platform=ARM64),
                question(both, known=[BOTH.digest]),
                question(shared_registry.reference("resolve/none", "one"), one, is_strict=True),
            ),
            (
                RemoteQuestion(parse_reference(both)),
                RemoteQuestion(parse_reference(shared_registry.reference("resolve/app", "none"))),
            ),
        )
        answers = module.resolve(asked, registry=registries.store, parallel=4)
        with pytest.raises(NotFoundError) as caught:
            module.resolve_image(question(both, platform=NOWHERE), registry=registries.store)
    assert caught.value.code == "platform-missing"
    plain, arm, known, second = answers.images.values()
    assert str(plain.identity.manifest_digest) == ONE.digest
    assert str(arm.identity.manifest_digest) == BOTH.images[1].digest
    assert (known.manifest, str(known.identity.digest)) == (None, BOTH.digest)
    assert (str(second.reference), second.platform) == (one, AMD64)
    assert [str(remote and remote.digest) for remote in answers.remotes.values()] == [BOTH.digest, "None"]
