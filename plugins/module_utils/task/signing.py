# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module that signs does: read the key, ask registries what is signed, and, unless dry, sign what is not."""

from __future__ import annotations

import random
import time
import typing as t

from ..model.errors import ImagesError, NotFoundError, raise_problems
from ..model.index import Index
from ..model.manifest import parse_manifest
from ..signatures.cosign_tag import signature_tag
from ..signatures.private_key import read_signing_key
from ..signatures.writing import Shelf, payload_of, put_signatures
from .reader import Reader
from .registries import check_served, credentials_of, open_registries
from .resolve import in_parallel

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.digest import Digest
    from ..model.reference import Reference
    from ..signatures.private_key import SigningKey
    from ..signatures.writing import WritableRepository

    Params = Mapping[str, t.Any]
    OpenRepository = Callable[[Reference], WritableRepository]

_SETTLING = 0.5  # seconds; far more than another signer needs between its last look at the tag and its write


class Target(t.NamedTuple):
    """One manifest to be signed: the name that was asked for, and the name that the signature is to carry."""

    image: Reference
    digest: Digest
    identity: str
    platform: str = ""

    @property
    def place(self) -> tuple[str, Digest]:
        """What has one tag of signatures."""
        return self.image.repository, self.digest


def sign_images(params: Params, *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Return result and warnings of signing what ``params`` name; with ``is_dry`` what they would be.

    Raises:
        InputError: the options are wrong; the key cannot be used.
        ImagesError: an image is not there or cannot be signed. Nothing was signed then, unless it was while signing.
    """
    names = _read(params)
    key = read_signing_key(
        text=params["private_key"] or "",
        path=params["private_key_path"] or "",
        passphrase=params["private_key_passphrase"] or "",
    )
    wanted = {name.registry for candidates in names for name in candidates}
    if params["username"]:
        check_served(wanted)
    with open_registries(params, credentials=credentials_of(params, served=wanted)) as registries:
        targets = _targets(names, params=params, opened=registries.store)
        unsigned = _unsigned(targets, key=key, opened=registries.store, parallel=params["parallel"])
        if unsigned and not is_dry:
            _sign(unsigned, key=key, opened=registries.store, parallel=params["parallel"])
        return _result(targets, unsigned=unsigned, key=key), registries.warnings


def _read(params: Params) -> list[tuple[Reference, ...]]:
    """Return what each name may mean.

    Raises:
        InputError: some are no names.
    """
    reader = Reader(params)
    names = [reader.names(text, f"name[{at}]") for at, text in enumerate(params["name"])]
    for at, candidates in enumerate(names):
        if params["identity"] == "exact" and candidates and candidates[0].tag is None:
            told = "an exact identity has a tag, and this name has none"
            reader.problem(f"name[{at}]", told, fix="write it like app:1.2@sha256:…, or set identity: repository")
    reader.finish()
    return names


def _targets(names: Sequence[tuple[Reference, ...]], *, params: Params, opened: OpenRepository) -> list[Target]:
    """Return all manifests to be signed, in the order of the names; of an index itself and, if asked, its images."""
    is_recursive, is_exact = params["recursive"], params["identity"] == "exact"

    def find(candidates: tuple[Reference, ...]) -> list[Target]:
        return _found(candidates, is_recursive=is_recursive, is_exact=is_exact, opened=opened)

    asked = list(dict.fromkeys(names))
    found = in_parallel(asked, find, parallel=params["parallel"])
    raise_problems({str(names[0]): got for names, got in found.items() if isinstance(got, ImagesError)})
    targets = (target for got in found.values() if not isinstance(got, ImagesError) for target in got)
    return list(dict.fromkeys(targets))


def _found(
    candidates: Sequence[Reference], *, is_recursive: bool, is_exact: bool, opened: OpenRepository
) -> list[Target]:
    """Return what the first of ``candidates`` that exists is made of.

    Raises:
        NotFoundError: none does.
        ImagesError: the registry cannot be asked.
    """
    missing: NotFoundError | None = None
    for name in candidates:
        try:
            raw, descriptor = opened(name).fetch_manifest(name)
        except NotFoundError as error:
            missing = missing or error
            continue
        identity = str(name._replace(digest=None)) if is_exact else name.repository
        targets = [Target(name, descriptor.digest, identity)]
        document = parse_manifest(raw, media_type=descriptor.media_type, subject=str(name))
        if is_recursive and isinstance(document, Index):
            targets += [
                Target(name, entry.digest, identity, str(entry.platform or "")) for entry in document.images()
            ]
        return targets
    raise missing or TypeError("there is at least one candidate")


def _unsigned(
    targets: Sequence[Target], *, key: SigningKey, opened: OpenRepository, parallel: int
) -> set[Target]:
    """Return those that ``key`` has not signed under their identity.

    Raises:
        ImagesError: a registry cannot be asked, or what it has there holds no signatures.
    """
    def find(place: tuple[str, Digest]) -> list[Target]:
        rows = [target for target in targets if target.place == place]
        image, digest = rows[0].image, rows[0].digest
        shelf = Shelf.of(image, digest, repository=opened(image))
        return [row for row in rows if not shelf.has(digest, row.identity, key=key)]

    found = in_parallel(list(dict.fromkeys(target.place for target in targets)), find, parallel=parallel)
    raise_problems({_shown(place): got for place, got in found.items() if isinstance(got, ImagesError)})
    return {target for got in found.values() if not isinstance(got, ImagesError) for target in got}


def _sign(unsigned: set[Target], *, key: SigningKey, opened: OpenRepository, parallel: int) -> None:
    """Sign all of ``unsigned``.

    Raises:
        ImagesError: one could not be signed. The others were.
    """
    def sign(place: tuple[str, Digest]) -> None:
        rows = [target for target in unsigned if target.place == place]
        image, digest = rows[0].image, rows[0].digest
        payloads = [payload_of(digest, identity) for identity in sorted({row.identity for row in rows})]
        put_signatures(Shelf.of(image, digest, repository=opened(image)), payloads, key=key, wait=_wait)

    places = sorted({target.place for target in unsigned})
    signed = in_parallel(places, sign, parallel=parallel)
    raise_problems({_shown(place): got for place, got in signed.items() if isinstance(got, ImagesError)})


def _wait() -> None:
    time.sleep(_SETTLING * random.uniform(1, 1.5))  # noqa: S311 (no secret: two signers must not stay in step)


def _result(targets: Sequence[Target], *, unsigned: set[Target], key: SigningKey) -> dict[str, t.Any]:
    lines = [
        f"{target.image.repository}@{target.digest} signed by {key.public.fingerprint} as {target.identity}\n"
        for target in targets
        if target in unsigned
    ]
    diff = {"before": "", "after": "".join(dict.fromkeys(lines))}
    if lines:
        diff.update(before_header="signatures", after_header="signatures")
    return {
        "changed": bool(unsigned),
        "fingerprint": key.public.fingerprint,
        "images": [_row(target, is_changed=target in unsigned) for target in targets],
        "diff": diff,
    }


def _row(target: Target, *, is_changed: bool) -> dict[str, t.Any]:
    return {
        "name": str(target.image),
        "digest": str(target.digest),
        "platform": target.platform,
        "identity": target.identity,
        "signatures": str(target.image.with_tag(signature_tag(target.digest))),
        "changed": is_changed,
    }


def _shown(place: tuple[str, Digest]) -> str:
    repository, digest = place
    return f"{repository}@{digest}"
