# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that Ansible reaches over real ssh: namespaces of this machine, each with a sshd and files of its own.

A host has the machine's programs. Its network, its processes, its name and what it writes to /etc, /root, /var/lib and
/run are its own: its store, log-ins, settings of engines, and the sockets of a dockerd or podman of its own. The folder
/tmp is the machine's. Killing the host's first process ends all that runs there.

From a command line, as root::

    python tests/support/ssh_hosts.py create FOLDER --hosts 20 --docker 1 --podman 1
    python tests/support/ssh_hosts.py destroy FOLDER

The first writes FOLDER/inventory.ini and FOLDER/fleet.json (``gateway`` is the machine's address for the hosts). The
second may come at any time, also when the first was killed, and more than once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: What the machine needs for hosts; those with an engine need that too.
PROGRAMS = ("ip", "setsid", "nsenter", "unshare", "mount", "ssh", "ssh-keygen", "sshd")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_FLEETS = 254
_OWN = {"etc": "/etc", "root": "/root", "var-lib": "/var/lib"}
_PATIENCE = 60.0

_START = """\
#!/bin/sh
set -e
{overlays}
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/lock
sed -i 's/^root:![^:]*:/root:*:/' /etc/shadow
hostname {name}
ip link set lo up
ip address replace {address}/24 dev eth0
ip link set eth0 up
{engine}
exec /usr/sbin/sshd -D -f {place}/sshd_config -E {place}/sshd.log
"""

_SSHD = """\
HostKey {place}/host_key
AuthorizedKeysFile {fleet}/key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
MaxSessions 100
SetEnv HOME=/root
Subsystem sftp internal-sftp
"""

_DOCKER = """\
mkdir -p /etc/docker
rm -f /etc/docker/daemon.json
dockerd -H unix:///run/docker.sock --data-root {place}/docker --exec-root /run/docker --pidfile /run/docker.pid \\
    --bridge=none --iptables=false --ip6tables=false --storage-driver overlay2 --log-level warn \\
    --insecure-registry {network} >{place}/docker.log 2>&1 &
until [ -S /run/docker.sock ]; do kill -0 $!; sleep 0.05; done
"""

_PODMAN = """\
mkdir -p /etc/containers /run/podman
printf '[storage]\\ndriver = "overlay"\\ngraphroot = "{place}/podman"\\nrunroot = "/run/podman/storage"\\n' \\
    >/etc/containers/storage.conf
printf '%s\\n' '[containers]' 'default_ulimits = ["nofile=20000:20000", "nproc=9000:9000"]' 'netns = "host"' \\
    '[engine]' 'runtime = "runc"' 'events_logger = "file"' 'cgroup_manager = "cgroupfs"' \\
    >/etc/containers/containers.conf
printf '{{"default": [{{"type": "insecureAcceptAnything"}}]}}\\n' >/etc/containers/policy.json
podman system service --time 0 unix:///run/podman/podman.sock >{place}/podman.log 2>&1 &
until [ -S /run/podman/podman.sock ]; do kill -0 $!; sleep 0.05; done
"""

_ENGINES = {"layout": "", "docker": _DOCKER, "podman": _PODMAN}


class SshHost(t.NamedTuple):
    """A host: its name in the inventory, its engine ("layout" is none), its address, the folder with its files."""

    name: str
    engine: str
    address: str
    folder: Path

    def path(self, place: str) -> Path:
        """Return where the machine sees what the host wrote to ``place``, below /etc, /root or /var/lib."""
        for folder, mounted in _OWN.items():
            if Path(place).is_relative_to(mounted):
                return self.folder / folder / Path(place).relative_to(mounted)
        raise ValueError(f"{place} is not the host's own")


class SshFleet(t.NamedTuple):
    """Hosts on one bridge. ``folder`` has their files and keys; ``number`` stands in the names of all that was made."""

    folder: Path
    number: int
    hosts: tuple[SshHost, ...]

    @property
    def gateway(self) -> str:
        """Return the machine's address as the hosts see it: servers for them listen there."""
        return f"198.19.{self.number}.1"

    @property
    def network(self) -> str:
        """Return the network of the bridge."""
        return f"198.19.{self.number}.0/24"

    @property
    def inventory(self) -> str:
        """Return an INI inventory: a group for each engine, and all that ssh needs to know."""
        groups = []
        for engine in _ENGINES:
            rows = [f"{host.name} ansible_host={host.address}" for host in self.hosts if host.engine == engine]
            groups += [f"[{engine}]", *rows, ""]
        known = f"-o UserKnownHostsFile={self.folder}/known_hosts"
        shared = {
            "ansible_connection": "ssh",
            "ansible_user": "root",
            "ansible_ssh_private_key_file": self.folder / "key",
            "ansible_ssh_common_args": f"'-F /dev/null {known} -o IdentitiesOnly=yes -o ConnectTimeout=20'",
            # The path of a socket has at most 107 characters: the folders of tests are too deep.
            "ansible_control_path_dir": self.folder / "control",
            "ansible_remote_tmp": "/root/.ansible/tmp",
            "ansible_python_interpreter": sys.executable,
        }
        return "\n".join([*groups, "[all:vars]", *(f"{name}={value}" for name, value in shared.items()), ""])

    def host(self, name: str) -> SshHost:
        """Return the host of that name; raises ``KeyError`` if there is none."""
        return {host.name: host for host in self.hosts}[name]

    def kill(self, name: str) -> None:
        """End all that runs on a host, at once, as when its power fails."""
        for pid in _first_processes(self.host(name).folder):
            _kill(pid)

    def start(self, name: str) -> None:
        """Start a host that was killed, and wait until it answers; its files are there, /run is empty."""
        _start(self, self.host(name))
        _wait_for(self.host(name))

    def run(self, name: str, *command: str) -> bytes:
        """Run a command on a host, over ssh, and return its standard output; raises ``RuntimeError`` if it fails."""
        options = ["-F", "/dev/null", "-i", f"{self.folder}/key", "-o", f"UserKnownHostsFile={self.folder}/known_hosts"]
        return _run("ssh", *options, "-o", "IdentitiesOnly=yes", f"root@{self.host(name).address}", "--", *command)


@contextmanager
def ssh_hosts(hosts: int = 0, *, docker: int = 0, podman: int = 0) -> Iterator[SshFleet]:
    """Run hosts until the block ends: host1…, docker1… (with a dockerd), podman1… (with its service).

    Skips the test where the machine has not what they need, in the way that CI does not accept.
    """
    import pytest

    from .programs import MISSING, require

    require(*PROGRAMS, *(["dockerd"] if docker else []), *(["podman", "runc"] if podman else []))
    if os.geteuid() != 0:
        pytest.skip(f"{MISSING} namespaces are made by root")
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        try:
            yield create_hosts(Path(folder), hosts=hosts, docker=docker, podman=podman)
        finally:
            destroy_hosts(Path(folder))


def create_hosts(folder: Path, *, hosts: int = 0, docker: int = 0, podman: int = 0) -> SshFleet:
    """Start hosts that outlive this process, wait until all answer, write inventory.ini and fleet.json to ``folder``.

    What is there of an earlier fleet in ``folder`` is destroyed. Raises ``RuntimeError`` with what a host said if it
    does not answer in a minute; whoever calls then destroys what there is.
    """
    destroy_hosts(folder)
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="fleet-"))
    names = [
        *(("layout", f"host{number}") for number in range(1, hosts + 1)),
        *(("docker", f"docker{number}") for number in range(1, docker + 1)),
        *(("podman", f"podman{number}") for number in range(1, podman + 1)),
    ]
    number = _claim_bridge(folder, place)
    rows = enumerate(names, start=2)
    made = [SshHost(name, engine, f"198.19.{number}.{last}", place / name) for last, (engine, name) in rows]
    fleet = SshFleet(place, number, tuple(made))
    _connect(fleet)
    (place / "control").mkdir()
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key"))
    for host in fleet.hosts:
        _prepare(fleet, host)
        _start(fleet, host)
    for host in fleet.hosts:
        _wait_for(host)
    keys = [f"{host.address} {(host.folder / 'host_key.pub').read_text(encoding='utf-8')}" for host in fleet.hosts]
    (place / "known_hosts").write_text("".join(keys), encoding="utf-8")
    (folder / "inventory.ini").write_text(fleet.inventory, encoding="utf-8")
    return fleet


def destroy_hosts(folder: Path) -> None:
    """Take away all that ``create_hosts`` made for ``folder``, however far it came. Idempotent."""
    try:
        state = json.loads((folder / "fleet.json").read_bytes())
    except FileNotFoundError:
        return
    place, number = Path(state["place"]), int(state["number"])
    for control in (place / "control").glob("*"):
        with suppress(RuntimeError):
            _run("ssh", "-O", "exit", "-o", f"ControlPath={control}", "host")
    for pid in _first_processes(place):
        _kill(pid)
    if _address_of(number) == _mark(place):
        for link in Path("/sys/class/net").glob(f"fleet{number}h*"):
            _run("ip", "link", "delete", link.name)
        for namespace in Path("/run/netns").glob(f"fleet{number}h*"):
            _run("ip", "netns", "delete", namespace.name)
        _run("ip", "link", "delete", f"fleet{number}")
    shutil.rmtree(place, ignore_errors=True)
    (folder / "inventory.ini").unlink(missing_ok=True)
    (folder / "fleet.json").unlink()


def _claim_bridge(folder: Path, place: Path) -> int:
    """Make a bridge: its name, which exists once on the machine, is the claim to a number.

    It is noted first, so that whoever is killed here leaves nothing behind: the bridge's own address tells whose it is.
    """
    for offset in range(_FLEETS):
        number = (os.getpid() + offset) % _FLEETS
        gateway, network = f"198.19.{number}.1", f"198.19.{number}.0/24"
        state = {"number": number, "place": str(place), "gateway": gateway, "network": network}
        (folder / "fleet.json").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        try:
            _run("ip", "link", "add", "name", f"fleet{number}", "address", _mark(place), "type", "bridge")
        except RuntimeError:
            if _address_of(number):
                continue
            raise
        _run("ip", "address", "add", f"{gateway}/24", "dev", f"fleet{number}")
        _run("ip", "link", "set", f"fleet{number}", "up")
        return number
    raise RuntimeError("every bridge for tests is taken: ip link delete fleet…")


def _mark(place: Path) -> str:
    """Return the hardware address of the bridge of ``place``, and of no other."""
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()
    return ":".join(["02", *(digest[at : at + 2] for at in range(0, 10, 2))])


def _address_of(number: int) -> str:
    """Return the hardware address of a bridge, "" if there is none."""
    try:
        return Path(f"/sys/class/net/fleet{number}/address").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _connect(fleet: SshFleet) -> None:
    orders = []
    for index in range(len(fleet.hosts)):
        name = f"fleet{fleet.number}h{index}"
        orders += [f"netns add {name}", f"link add {name} type veth peer name eth0 netns {name}"]
        orders += [f"link set {name} master fleet{fleet.number} up"]
    _run("ip", "-batch", "-", text="\n".join(orders) + "\n")


def _prepare(fleet: SshFleet, host: SshHost) -> None:
    """Make the folders of a host, and the script that its first process runs."""
    place, overlays = host.folder, []
    for folder, mounted in _OWN.items():
        (place / folder).mkdir(parents=True)
        (place / "work" / folder).mkdir(parents=True)
        layers = f"lowerdir={mounted},upperdir={place}/{folder},workdir={place}/work/{folder}"
        overlays.append(f"mount -t overlay overlay -o {layers} {mounted}")
    shutil.copymode("/root", place / "root")
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(place / "host_key"))
    engine = _ENGINES[host.engine].format(place=place, network=fleet.network)
    (place / "sshd_config").write_text(_SSHD.format(place=place, fleet=fleet.folder), encoding="utf-8")
    values = {"name": host.name, "address": host.address, "place": place}
    start = _START.format(overlays="\n".join(overlays), engine=engine, **values)
    (place / "start").write_text(start, encoding="utf-8")


def _start(fleet: SshFleet, host: SshHost) -> None:
    """Start the first process of a host, in namespaces of its own."""
    namespace = f"/run/netns/fleet{fleet.number}h{fleet.hosts.index(host)}"
    own = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with (host.folder / "start.log").open("wb") as log:
        subprocess.run(
            ["setsid", "--fork", "nsenter", f"--net={namespace}", *own, "sh", str(host.folder / "start")],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )


def _wait_for(host: SshHost) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host.address, 22)) == 0:
                return
        if time.monotonic() > deadline:
            logs = sorted(host.folder.glob("*.log"))
            said = "".join(f"{log.name}: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}" for log in logs)
            raise RuntimeError(f"{host.name} does not answer:\n{said}")
        time.sleep(0.02)


def _first_processes(place: Path) -> list[int]:
    """Return the processes that were told to start the hosts of ``place``, with all that they ended up as."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if any(word.startswith(f"{place}/") and word.endswith(("/start", "/sshd_config")) for word in words):
                found.append(int(path.parent.name))
    return found


def _kill(pid: int) -> None:
    """Kill a process and wait for its end; one that is gone already is fine."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 20)
        finally:
            os.close(handle)


def _run(*command: str, text: str = "") -> bytes:
    around = {**os.environ, "PATH": _PATH}
    finished = subprocess.run(command, input=text.encode(), capture_output=True, env=around, check=False, timeout=60)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)}: {finished.stderr.decode(errors='replace').strip()}")
    return finished.stdout


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Hosts in namespaces of this machine, for Ansible over ssh.")
    parser.add_argument("order", choices=["create", "destroy"])
    parser.add_argument("folder", type=Path, help="where inventory.ini and fleet.json are")
    parser.add_argument("--hosts", type=int, default=0, help="how many without an engine: host1…")
    parser.add_argument("--docker", type=int, default=0, help="how many with a dockerd: docker1…")
    parser.add_argument("--podman", type=int, default=0, help="how many with podman's service: podman1…")
    given = parser.parse_args()
    if given.order == "create":
        create_hosts(given.folder, hosts=given.hosts, docker=given.docker, podman=given.podman)
    else:
        destroy_hosts(given.folder)


if __name__ == "__main__":
    main()
