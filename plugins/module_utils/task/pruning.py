# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pruning: what nobody needs goes, by a plan like any other. Only image_prune ships this."""

from __future__ import annotations

import typing as t

from ..apply.outcome import Outcome
from ..model.errors import InputError, PeerError
from ..model.host import Look
from ..model.reference import ImageId
from ..plan.pruning import Clear, Drop, Leftover, Prune, plan_prune, unclear
from .build_options import cache_folder
from .prune_options import read_prune
from .report import report
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.caches import Cached
    from ..model.host import LocalImage, Observed
    from ..plan.actions import Action
    from ..plan.plan import Plan
    from ..plan.pruning import Pruning

_GRACE_SECONDS = 3600.0  # of what builds remember; stores know themselves how long they wait


def prune(params: Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Prune a host; return result and warnings, with ``is_dry`` what they would be.

    Raises:
        ImagesError: the options are wrong, it cannot be planned (nothing was changed then), or not be carried out.
    """
    rule = read_prune(params)
    session = Session(params)
    try:
        run = PruneRun(rule, session=session, takes_caches=params["caches"])
        return run.result(is_dry=is_dry), [*run.warnings, *session.warnings()]
    finally:
        session.close()


class PruneRun:
    """One pruning of one host. ``warnings`` are there once there is a result."""

    def __init__(self, rule: Prune, *, session: Session, takes_caches: bool) -> None:
        """Take the rule, and whether what the collection left behind goes, too."""
        self._rule = rule
        self._session = session
        self._takes_caches = takes_caches
        self._cached: list[Cached] = []
        self.warnings: list[str] = []

    def result(self, *, is_dry: bool) -> dict[str, t.Any]:
        """Prune, and return the result; with ``is_dry`` return what it would be.

        Raises:
            ImagesError: it cannot be planned (nothing was changed then), or not be carried out.
        """
        engine, rule = self._session.engine, self._rule
        if engine.name == "layout" and rule == Prune(takes_named=True):
            raise _unused_unknown()
        left = self._leftovers() if self._takes_caches else []
        pruning = plan_prune(rule, self._observe(), leftovers=left)
        plan = pruning.plan._replace(frees=self._freed(pruning, left))
        outcome = Outcome() if is_dry or plan.is_empty else self._carry_out(plan)
        self.warnings += [*plan.warnings, *outcome.warnings]
        told = report(plan, outcome=outcome, engine=engine)
        rows = zip(told["images"], pruning.images)
        images = [{**row, **_details(image)} for row, image in rows]
        return {"untagged": [], **told, "images": images, "deleted": list(plan.deleted), "space_reclaimed": plan.frees}

    def _observe(self) -> Observed:
        """Return the host; of what may go with size and age, where the list of images does not tell them."""
        look = Look(containers=True, parents=True)
        observed = self._session.engine.observe(look)
        details = frozenset(_handle(image) for image in unclear(self._rule, observed))
        return self._session.engine.observe(look._replace(details_of=details)) if details else observed

    def _leftovers(self) -> list[Leftover]:
        from ..build.caches import forgettable

        engine = self._session.engine
        self._cached = forgettable(cache_folder(), grace_seconds=_GRACE_SECONDS)
        size = engine.freeable(())
        found = [Leftover(engine.place, "no image needs it", size)] if size else []
        if self._cached:
            size = sum(cached.size for cached in self._cached)
            found.append(Leftover(cache_folder(), "builds can do without it", size))
        return found

    def _freed(self, pruning: Pruning, left: list[Leftover]) -> int:
        """Return the bytes that all of it frees, at most. With an image, what no image needs goes anyway."""
        engine = self._session.engine
        if not pruning.gone:
            return sum(leftover.size for leftover in left)
        others = sum(leftover.size for leftover in left if leftover.place != engine.place)
        return engine.freeable(pruning.gone) + others

    def _carry_out(self, plan: Plan) -> Outcome:
        from ..apply.execute import Host, apply_plan
        from ..apply.verify import verify

        session = self._session
        host = Host(session.engine, session.content, _build_nothing, perform=self._perform)
        outcome = apply_plan(plan, host=host, registry=session.registry, patience=session.patience())
        observed = session.engine.observe(Look(parents=True))
        verify(plan, outcome=outcome, observed=observed)
        there = {image.id for image in observed.images}
        for action in plan.actions:
            if isinstance(action, Drop) and action.image.id in there:
                raise _still_there(action.image)
        return outcome

    def _perform(self, action: Action) -> None:
        if isinstance(action, Drop):
            self._session.engine.remove(action.image)
        elif isinstance(action, Clear) and action.leftover.place == self._session.engine.place:
            self._session.engine.reclaim()
        else:
            from ..build.caches import forget

            for cached in self._cached:
                forget(cached)


def _handle(image: LocalImage) -> t.Any:
    """Return what finds ``image`` on its host."""
    return image.names[0] if image.names else ImageId(image.id.rpartition(":")[2])


def _details(image: LocalImage) -> dict[str, t.Any]:
    """Return what a row tells of an image beside what rows of all plans do."""
    names = [str(name) for name in (*image.names, *image.digest_names)]
    return {"id": image.id, "names": names, "size": image.size, "created": image.created}


def _build_nothing(spec: object) -> t.NoReturn:
    raise TypeError(f"nothing is built here: {spec}")


def _unused_unknown() -> InputError:
    return InputError(
        "Nothing tells which images of the embedded store are used",
        code="unused-unknown",
        why="no container uses it, so with all every image of it would go",
        fix="say which images go (filters) or stay (protect, keep_newest), or empty it by image_state with images: [] "
        "and unlisted: remove",
        subject="all",
    )


def _still_there(image: LocalImage) -> PeerError:
    return PeerError(
        f"The host still holds the image {image.id}",
        code="promise-broken",
        why="it should be gone",
        fix="another process may change the same store at the same time; run the task again",
        subject=image.id,
    )
