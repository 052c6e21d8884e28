# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that tests reach over ssh: apart from each other and from the machine, and gone without a trace."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.tests.support import ssh_hosts as support
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.programs import require, run

WRITE = """
hostname
sed -i 's/^root:/root:/' /etc/passwd
for place in /etc /root /var/lib /run; do echo "$0" >$place/written; done
ps ax | wc -l
"""


def made_of(number: int) -> list[str]:
    """Return the links and namespaces of the fleet with that number."""
    places = (*Path("/sys/class/net").glob(f"fleet{number}*"), *Path("/run/netns").glob(f"fleet{number}h*"))
    return sorted(place.name for place in places)


def test_hosts_have_their_own_files_and_are_gone_without_a_trace(tmp_path: Path) -> None:
    require(*support.PROGRAMS)
    command = [sys.executable, support.__file__]
    try:
        run([*command, "create", tmp_path, "--hosts", "2"])
        state = json.loads((tmp_path / "fleet.json").read_bytes())
        place = Path(state["place"])
        plays: list[dict[str, t.Any]] = [
            {"hosts": "all", "gather_facts": False, "tasks": [{"name": "write", "ansible.builtin.shell": WRITE}]}
        ]
        inventory = (tmp_path / "inventory.ini").read_text(encoding="utf-8")
        written = run_playbook(plays, tmp_path / "home", inventory=inventory)
        assert written.returncode == 0, written.output
        for name in ("host1", "host2"):
            told = written.of("write", host=name).result["stdout"].split()
            assert told[0] == name
            assert int(told[1]) < 20
            assert sorted(path.parent.name for path in (place / name).glob("*/written")) == ["etc", "root", "var-lib"]
        assert not [folder for folder in ("/etc", "/root", "/var/lib", "/run") if Path(folder, "written").exists()]
        other = tmp_path / "other"
        other.mkdir()
        (other / "fleet.json").write_text(json.dumps({**state, "place": str(other / "place")}), encoding="utf-8")
        run([*command, "destroy", other])
        assert len(made_of(state["number"])) == 1 + 2 * 2
    finally:
        run([*command, "destroy", tmp_path])
    assert made_of(state["number"]) == []
    assert not place.exists()
    assert str(place).encode() not in run(["ps", "axww", "-o", "args"])
    run([*command, "destroy", tmp_path])
    assert not (tmp_path / "fleet.json").exists()
