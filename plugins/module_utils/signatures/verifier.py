# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether images may be used: the rule that fits, the signatures that are there, and the keys that made them."""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError
from . import refusals
from .cosign_tag import read_tagged
from .keys import read_key
from .referrers import read_referrers
from .rules import rule_for

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.reference import Reference
    from .base import Reading, Repository, Signature
    from .keys import PublicKey
    from .rules import Rule

_LAYOUTS = (read_tagged, read_referrers)
_CONTENT_TRUST = "the rule asks for Docker Content Trust (Notary v1)"


class Verifier:
    """Checks images against rules. Thread-safe. Keys are read when an image first needs them."""

    def __init__(
        self, rules: Sequence[Rule] = (), *, demands: Callable[[Reference], Sequence[Rule]] | None = None
    ) -> None:
        """The most exact of ``rules`` that matches decides; an image that none matches is refused.

        With ``demands`` an image must satisfy all rules that it returns.
        """
        self._rules = tuple(rules)
        self._demands = demands or self._most_exact
        self._keys: dict[str, PublicKey] = {}
        self._judged: dict[tuple[Reference, Digest, Rule], _Judged] = {}

    def check(
        self, reference: Reference, *, descriptor: Descriptor, manifest_digest: Digest | None, repository: Repository
    ) -> tuple[str, ...]:
        """Return the fingerprints, sorted, of the keys that signed ``reference``; none where no signature is asked for.

        ``descriptor`` is what the registry has for it, ``manifest_digest`` the image that was chosen from it, if any: a
        signature over either will do. ``repository`` is that of the reference, at its origin. Asked again for
        another image of the same index, it does not read again what it knows.

        Raises:
            InputError: signature-rule-missing, image-rejected; key-unreadable, bad-key.
            IntegrityError: signature-missing; signature-invalid, there are some, and none is right.
            UnsupportedError: signature-not-checkable, there are some in a form that cannot be checked, or a rule asks
                for such; policy-not-supported; cryptography-missing.
            ImagesError: the registry cannot be asked.
        """
        digests = tuple(dict.fromkeys((descriptor.digest, manifest_digest or descriptor.digest)))
        signers: set[str] = set()
        for rule in self._demands(reference):
            if rule.policy == "reject":
                raise refusals.rejected(reference, rule)
            if rule.policy == "content_trust":
                raise refusals.unsigned(reference, foreign=(_CONTENT_TRUST,), wrong=())
            if rule.policy == "signed":
                signers.update(self._signers(reference, digests, rule=rule, repository=repository))
        return tuple(sorted(signers))

    def _most_exact(self, reference: Reference) -> Sequence[Rule]:
        rule = rule_for(reference, self._rules)
        if rule is None:
            raise refusals.rule_missing(reference)
        return (rule,)

    def _signers(
        self, reference: Reference, digests: Sequence[Digest], *, rule: Rule, repository: Repository
    ) -> tuple[str, ...]:
        """Return which keys of ``rule`` signed the first of ``digests`` that any of them signed."""
        keys = [self._key(source) for source in rule.keys]
        judged = _Judged()
        for digest in digests:
            judged = judged.beside(self._judge(reference, digest, keys=keys, rule=rule, repository=repository))
            if judged.signers:
                return judged.signers
        raise refusals.unsigned(reference, foreign=judged.foreign, wrong=judged.wrong)

    def _key(self, source: str) -> PublicKey:
        if source not in self._keys:
            self._keys[source] = read_key(source)
        return self._keys[source]

    def _judge(
        self, image: Reference, digest: Digest, *, keys: Sequence[PublicKey], rule: Rule, repository: Repository
    ) -> _Judged:
        known = self._judged.get((image, digest, rule))
        if known is None:
            known = _Judged()
            for read in _LAYOUTS:
                if not known.signers:
                    reading = read(repository, digest, image=image)
                    known = known.beside(_judge(reading, _Wanted(image, digest, rule, tuple(keys))))
            self._judged[image, digest, rule] = known
        return known


class _Judged(t.NamedTuple):
    """Whose signatures are right, and why others are not."""

    signers: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def beside(self, other: _Judged) -> _Judged:
        """Return both judgements in one."""
        return _Judged(self.signers + other.signers, self.foreign + other.foreign, self.wrong + other.wrong)


class _Wanted(t.NamedTuple):
    """What a signature must be over, and by whom."""

    image: Reference
    digest: Digest
    rule: Rule
    keys: tuple[PublicKey, ...]


def _judge(reading: Reading, wanted: _Wanted) -> _Judged:
    signers: set[str] = set()
    wrong = list(reading.damaged)
    for signature in reading.signatures:
        key = next((key for key in wanted.keys if key.has_signed(signature.message, signature.value)), None)
        refusal = "it was not made by any of the keys" if key is None else _refusal(signature, wanted)
        if refusal:
            wrong.append(f"{signature.place}: {refusal}")
        elif key is not None:
            signers.add(key.fingerprint)
    return _Judged(tuple(sorted(signers)), reading.foreign, tuple(wrong))


def _refusal(signature: Signature, wanted: _Wanted) -> str:
    """Return why a signature that one of the keys made does not serve; empty if it does."""
    try:
        claim = signature.claim(signature.message)
    except PeerError as error:
        return error.why or error.what
    if wanted.digest not in claim.digests:
        return f"it is over another digest, {', '.join(map(str, claim.digests)) or 'none'}"
    return wanted.rule.name.refusal(claim.name, image=wanted.image)
