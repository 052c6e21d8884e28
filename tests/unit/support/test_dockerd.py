# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon of tests starts apart from others, comes back after a crash, and leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.images import push_image
from ansible_collections.fleet.images.tests.support.registry import Registry


def links() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def is_running(pid: str) -> bool:
    """Say whether a process lives; one that its parent has not waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_two_daemons_run_beside_each_other_and_leave_the_machine_as_it_was(tmp_path: Path) -> None:
    before = links()
    with start_dockerd(tmp_path / "one") as one, start_dockerd(tmp_path / "two") as two:
        added = links() - before
        one.cli("network", "inspect", "bridge")
        two.cli("network", "inspect", "bridge")
        pids = [one.pid, two.pid]
        assert len(added) >= 2
    assert not added & links()
    assert before <= links()
    assert not any(is_running(str(pid)) for pid in pids)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def test_a_killed_daemon_ends_with_its_containers_and_keeps_its_images(tmp_path: Path, registry: Registry) -> None:
    push_image(registry, "app", files={"bin/sleep": Path("/bin/busybox").read_bytes()})
    name = registry.reference("app")
    with start_dockerd(tmp_path / "docker") as daemon:
        daemon.cli("pull", "-q", name)
        daemon.cli("run", "-d", "--network", "none", "--name", "busy", name, "/bin/sleep", "600")
        container = daemon.cli("inspect", "--format", "{{.State.Pid}}", "busy").decode().strip()
        daemon.kill()
        assert not is_running(container)
        shown = subprocess.run(["pgrep", "-f", str(daemon.socket.parent)], capture_output=True, check=False)
        assert shown.stdout == b""
        daemon.start()
        assert name.encode() in daemon.cli("images", "--format", "{{.Repository}}:{{.Tag}}")
        assert b"Exited" in daemon.cli("ps", "-a", "--format", "{{.Status}}")
