# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writers of a layout are stopped at every step they take, by failure and by kill -9; the store stays whole."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise, opening, sample_image

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.tests.unit.stores.sample_images import SampleImage

STEPS = ("open", "write", "fsync", "ftruncate", "fchmod", "replace", "unlink", "mkdir", "utime")
FORK = multiprocessing.get_context("fork")
OLD, NEW, OTHER = (sample_image(name, layers=1) for name in ("old", "new", "other"))
APP, SIDE = parse_reference("app:1"), parse_reference("side:1")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fsync return at once: it matters when power is lost, which no test here does, and is most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


class StepCounter:
    """Calls ``stop`` instead of the step numbered ``at`` among all that a layout takes on disk."""

    def __init__(self, at: int, stop: Callable[[], None]) -> None:
        self.at = at
        self.taken = 0
        self.stop = stop

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for name in STEPS:
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, step: Callable[..., t.Any]) -> Callable[..., t.Any]:
        def counted(*arguments: t.Any, **options: t.Any) -> t.Any:
            self.taken += 1
            if self.taken == self.at:
                self.stop()
            return step(*arguments, **options)

        return counted


def start_store(root: Path) -> None:
    """Make a store where ``side`` is complete and ``app`` is the old image."""
    store = LayoutStore(root, create=True)
    OTHER.put(store, SIDE)
    OLD.put(store, APP)


def converge(root: Path) -> None:
    """Do all that changes a store: create, write, publish, remove a name, collect."""
    store = LayoutStore(root, create=True)
    NEW.put(store, APP)
    OLD.put(store, parse_reference("was:1"))
    store.untag(parse_reference("was:1"))
    store.collect(0)


def assert_whole(root: Path) -> dict[Reference, SampleImage]:
    """Confirm that every name leads to complete, right content; return what the names mean."""
    store = LayoutStore(root)
    images = {image.descriptor.digest: image for image in (OLD, NEW, OTHER)}
    meaning = {}
    for stored in store.names():
        image = images[stored.descriptor.digest]
        assert store.read(stored.descriptor) == image.raw
        for part in image.parts:
            assert store.read(part) == image.content[part.digest]
        meaning[stored.reference] = image
    assert all(row.missing == () for row in store.images())
    return meaning


def make_and_fill(root: Path) -> None:
    """Make a store with one image."""
    NEW.put(LayoutStore(root, create=True), APP)


def kill_at(step: int, act: Callable[[Path], None], root: Path) -> bool:
    """Act in a process that kills itself at ``step``; return whether it came that far."""

    def run() -> None:
        with pytest.MonkeyPatch.context() as patch:
            StepCounter(step, lambda: os.kill(os.getpid(), signal.SIGKILL)).watch(patch)
            act(root)

    child = FORK.Process(target=run)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def test_a_kill_at_any_step_leaves_names_that_lead_to_complete_images_and_the_next_run_finishes(tmp_path: Path) -> None:
    start_store(tmp_path / "start")
    shutil.copytree(tmp_path / "start", tmp_path / "wanted")
    converge(tmp_path / "wanted")
    wanted = (tmp_path / "wanted/index.json").read_bytes()
    step = 1
    while True:
        root = tmp_path / str(step)
        shutil.copytree(tmp_path / "start", root)
        was_killed = kill_at(step, converge, root)
        assert assert_whole(root)[APP] in (OLD, NEW)
        assert assert_whole(root)[SIDE] == OTHER
        converge(root)
        assert (root / "index.json").read_bytes() == wanted
        assert blobs_in(root) == blobs_in(tmp_path / "wanted")
        if not was_killed:
            break
        step += 1
    assert step > 30, "the writer was stopped at few steps: are the steps still counted?"


def test_a_kill_while_the_store_is_made_does_not_spoil_it(tmp_path: Path) -> None:
    step = 1
    while kill_at(step, make_and_fill, tmp_path / str(step)):
        make_and_fill(tmp_path / str(step))
        assert assert_whole(tmp_path / str(step)) == {APP: NEW}
        step += 1
    assert step > 30


def test_a_disk_that_fails_at_any_step_is_told_and_leaves_a_whole_store(tmp_path: Path) -> None:
    start_store(tmp_path / "start")
    step = 1
    while True:
        root = tmp_path / str(step)
        shutil.copytree(tmp_path / "start", root)

        def fail() -> None:
            raise OSError(5, "Input/output error", "the disk")

        counter = StepCounter(step, fail)
        try:
            with pytest.MonkeyPatch.context() as patch:
                counter.watch(patch)
                converge(root)
        except ImagesError as error:
            assert error.code == "store-io"
            assert error.retryable
        assert assert_whole(root)[SIDE] == OTHER
        converge(root)
        assert assert_whole(root)[APP] == NEW
        if counter.taken < step:
            break
        step += 1
    assert step > 30


@pytest.mark.parametrize("received", [1, 4096, 1_048_575, 1_048_577, 2_999_999])
def test_a_download_that_was_killed_goes_on_where_it_stopped(tmp_path: Path, received: int) -> None:
    image = sample_image("large", layers=1, layer_bytes=3_000_000)
    (layer,) = image.layers
    content = image.content[layer.digest]

    class DyingStream:
        def __init__(self) -> None:
            self.parts = [content[:received]]

        def read(self, _size: int, /) -> bytes:
            if not self.parts:
                os.kill(os.getpid(), signal.SIGKILL)
            return self.parts.pop()

        def close(self) -> None:
            """Nothing is held."""

    LayoutStore(tmp_path / "store", create=True)
    child = FORK.Process(target=lambda: LayoutStore(tmp_path / "store").write(layer, lambda _offset: DyingStream()))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    store = LayoutStore(tmp_path / "store")
    assert not store.has(layer)
    offsets: list[int] = []

    def open_at(offset: int) -> t.Any:
        offsets.append(offset)
        return opening(content)(offset)

    assert store.write(layer, open_at) is True
    assert offsets == [received]
    assert (tmp_path / "store/blobs/sha256" / layer.digest.encoded).read_bytes() == content
    assert list((tmp_path / "store/.fleet-images/partial").iterdir()) == []


class Step(t.NamedTuple):
    """One step on disk: what was done, to which path, and for a rename to which new path."""

    name: str
    path: str
    new: str = ""


def traced(patch: pytest.MonkeyPatch) -> list[Step]:
    """Return the list that every later write, fsync and rename is added to."""
    trace: list[Step] = []

    def watch_handle(name: str, step: Callable[..., t.Any]) -> None:
        def watched(handle: int, *data: t.Any) -> t.Any:
            trace.append(Step(name, str(Path(f"/proc/self/fd/{handle}").readlink())))
            return step(handle, *data)

        patch.setattr(os, name, watched)

    def replace(old: Path, new: Path, real: Callable[..., None] = os.replace) -> None:
        trace.append(Step("replace", str(old), str(new)))
        real(old, new)

    watch_handle("write", os.write)
    watch_handle("fsync", os.fsync)
    patch.setattr(os, "replace", replace)
    return trace


def test_bytes_are_durable_before_they_have_a_name_and_blobs_before_the_index(tmp_path: Path) -> None:
    start_store(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        trace = traced(patch)
        NEW.put(LayoutStore(tmp_path), APP)

    renames = [at for at, step in enumerate(trace) if step.name == "replace"]
    assert [Path(trace[at].new).name for at in renames] == [
        *(part.digest.encoded for part in NEW.parts),
        NEW.descriptor.digest.encoded,
        "index.json",
    ]
    for at in renames:
        path = trace[at].path
        last_write = max(n for n, step in enumerate(trace[:at]) if step == Step("write", path))
        assert Step("fsync", path) in trace[last_write:at]
    *_, last_blob, index = renames
    assert Step("fsync", str(tmp_path / "blobs/sha256")) in trace[last_blob:index]
    assert Step("fsync", str(tmp_path)) in trace[index:]


def test_two_processes_that_converge_one_store_lose_nothing(tmp_path: Path) -> None:
    images = [sample_image(f"both-{number}", layers=3, layer_bytes=100_000) for number in range(4)]
    together = FORK.Barrier(2)

    def run(side: str) -> None:
        together.wait(timeout=30)
        store = LayoutStore(tmp_path / "store", create=True)
        for number, image in enumerate(images):
            image.put(store, parse_reference(f"{side}/app:{number}"))
            store.collect(3600)

    children = [FORK.Process(target=run, args=(side,)) for side in ("left", "right")]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    store = LayoutStore(tmp_path / "store")
    assert [str(stored.reference) for stored in store.names()] == [
        f"docker.io/{side}/app:{number}" for side in ("left", "right") for number in range(4)
    ]
    for image in images:
        for part in image.parts:
            assert (tmp_path / "store/blobs/sha256" / part.digest.encoded).read_bytes() == image.content[part.digest]
    assert all(row.missing == () for row in store.images())


def test_a_second_process_waits_for_a_download_instead_of_repeating_it(tmp_path: Path) -> None:
    content = noise("waited for", 300_000)
    image = sample_image("any")
    layer = image.layers[0]._replace(digest=type(image.config.digest).of(content), size=len(content))
    LayoutStore(tmp_path, create=True)
    has_begun, may_go_on, results = FORK.Event(), FORK.Event(), FORK.SimpleQueue()

    def first() -> None:
        def open_at(offset: int) -> t.Any:
            has_begun.set()
            may_go_on.wait(timeout=30)
            return opening(content)(offset)

        results.put(("first", LayoutStore(tmp_path).write(layer, open_at)))

    def second() -> None:
        has_begun.wait(timeout=30)
        store = LayoutStore(tmp_path)
        may_go_on.set()

        def refuse(offset: int) -> t.NoReturn:
            raise AssertionError(f"opened at {offset}")

        results.put(("second", store.write(layer, refuse)))

    children = [FORK.Process(target=first), FORK.Process(target=second)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert sorted([results.get(), results.get()]) == [("first", True), ("second", False)]


def blobs_in(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "blobs/sha256").iterdir())
