# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is changed in a sealed report is found by the script that shares no code with what sealed it."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.plugin_utils.report_proof import (
    fleet_root,
    host_root,
    leaf_of,
    seal,
    sign,
)
from ansible_collections.fleet.images.tests.support.report_documents import (
    cell,
    digest_of,
    document,
    host,
    silent_host,
)

SCRIPT = Path(__file__).parents[3] / "docs" / "verify_report.py"
IMAGES = [f"docker.io/library/app{number}:1" for number in range(5)]


def fleet(count: int) -> dict[str, t.Any]:
    """Return the sealed report of so many hosts that hold the same, and one that does not answer."""
    hosts = [host(f"web{number}", {image: cell(image) for image in IMAGES}) for number in range(count)]
    return seal(document([*hosts, silent_host("gone")]))


def checked(report: t.Mapping[str, t.Any], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Return how the script ends for ``report``, run without anything of the collection."""
    path = folder / "report.json"
    path.write_text(json.dumps(report))
    return verified(path, *options)


def verified(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", str(SCRIPT), str(path), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")


def differences(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what the script says differs; it must have ended accordingly."""
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("DIFFERS: ")]
    assert done.returncode == bool(lines), done.stderr
    return lines


def flipped(digest: str) -> str:
    """Return the digest with one bit of its last digit turned over."""
    return digest[:-1] + f"{int(digest[-1], 16) ^ 1:x}"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a private key; its public half is beside it, and in ``signers`` as ops@example.com's."""
    path = tmp_path_factory.mktemp("keys") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    (path.parent / "signers").write_text(f"ops@example.com {path.with_suffix('.pub').read_text()}")
    return path


def test_roots_are_those_that_are_written_down() -> None:
    def leaf(value: str) -> bytes:
        return hashlib.sha256(b"\0" + value.encode()).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    a = leaf('{"config":"sha256:c","index":"","manifest":"sha256:m","reference":"a"}')
    b = leaf('{"config":"","index":"","manifest":"","reference":"b"}')
    c = leaf('{"config":"","diff_ids":["sha256:1","sha256:2"],"index":"sha256:i","manifest":"","reference":"c\\u00e9"}')
    cells: dict[str, dict[str, t.Any]] = {
        "cé": {"index": "sha256:i", "diff_ids": ["sha256:1", "sha256:2"]},
        "b": {"manifest": ""},
        "a": {"manifest": "sha256:m", "config": "sha256:c", "class": "verified"},
    }
    assert leaf_of("a", cells["a"]) == f"sha256:{a.hex()}"
    assert host_root(cells) == f"sha256:{node(node(a, b), c).hex()}"
    only = leaf('{"host":"h","root":"sha256:x"}')
    assert fleet_root({"h": "sha256:x"}) == f"sha256:{only.hex()}"
    assert (host_root({}), fleet_root({})) == ("", "")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8])
def test_a_sealed_report_is_verified(count: int, tmp_path: Path) -> None:
    done = checked(fleet(count), tmp_path)
    assert differences(done) == []
    assert f"{count + 1} hosts" in done.stdout


def test_sealing_again_changes_nothing_and_order_of_hosts_does_not_count() -> None:
    report = fleet(4)
    assert seal(report) == report
    assert seal({**report, "hosts": report["hosts"][::-1]})["root"] == report["root"]


@pytest.mark.parametrize("field", ["index", "manifest", "config"])
def test_one_flipped_bit_is_attributed_to_host_and_image(field: str, tmp_path: Path) -> None:
    report = fleet(20)
    hit = report["hosts"][13]["cells"][IMAGES[2]]
    hit[field] = flipped(hit[field])
    first, second, third, *others = differences(checked(report, tmp_path))
    assert first == f"host web13, image {IMAGES[2]}: its digests are not those that were sealed"
    assert second.startswith("host web13: the root is sha256:")
    assert third.startswith("fleet: the root is sha256:")
    (fourth,) = others
    if field == "index":
        assert fourth == f"host web13, image {IMAGES[2]}: it is called verified, and is not {hit['wanted']}"
    else:
        assert fourth.startswith(f"image {IMAGES[2]} for linux/amd64: verified hosts hold more than one {field}: ")
        assert f"{hit[field]} on web13" in fourth


def test_other_bytes_called_verified_are_named_even_where_the_seal_is_right(tmp_path: Path) -> None:
    report = fleet(5)
    report["hosts"][3]["cells"][IMAGES[0]]["config"] = digest_of("a lie")
    (line,) = differences(checked(seal(report), tmp_path))
    assert f"image {IMAGES[0]} for linux/amd64" in line
    assert f"{digest_of('a lie')} on web3" in line


def test_hosts_may_hold_other_bytes_where_nothing_says_which_are_wanted(tmp_path: Path) -> None:
    report = fleet(5)
    for row in report["hosts"][:-1]:
        row["cells"][IMAGES[0]]["wanted"] = ""
    report["hosts"][3]["cells"][IMAGES[0]]["config"] = digest_of("newer")
    assert differences(checked(seal(report), tmp_path)) == []


def test_a_flipped_bit_of_a_layer_is_attributed() -> None:
    layers = [digest_of("one"), digest_of("two")]
    image = {**cell("a"), "diff_ids": layers}
    assert leaf_of("a", image) != leaf_of("a", {**image, "diff_ids": [layers[0], flipped(layers[1])]})
    assert leaf_of("a", image) != leaf_of("a", {**image, "diff_ids": layers[::-1]})
    assert leaf_of("a", image) != leaf_of("a", cell("a"))


def change(name: str, report: dict[str, t.Any]) -> None:
    """Falsify a report in one of several ways."""
    hosts = report["hosts"]
    if name == "a host left out":
        del hosts[1]
    elif name == "an image left out":
        del hosts[1]["cells"][IMAGES[4]]
    elif name == "hosts exchanged":
        hosts[0]["host"], hosts[-1]["host"] = hosts[-1]["host"], hosts[0]["host"]
    elif name == "a host twice":
        hosts.append(copy.deepcopy(hosts[0]))
    elif name == "a root":
        report["root"] = flipped(report["root"])
    elif name == "a state":
        hosts[-1]["state"] = "verified"
    elif name == "a class":
        hosts[0]["cells"][IMAGES[0]]["class"] = "corrupt"
    else:
        report["totals"]["verified"] += 1


CHANGES = [
    ("a host left out", "fleet: the root is "),
    ("an image left out", "host web1: the root is "),
    ("hosts exchanged", "fleet: the root is "),
    ("a host twice", "a host is there twice"),
    ("a root", "fleet: the root is "),
    ("a state", "totals: 1 hosts are unreachable, counted 0"),
    ("a class", f"host web0: it is called verified, and {IMAGES[0]} is corrupt"),
    ("a total", "totals: 4 hosts are verified, counted 3"),
]


@pytest.mark.parametrize(("name", "told"), CHANGES)
def test_every_falsification_is_told(name: str, told: str, tmp_path: Path) -> None:
    report = copy.deepcopy(fleet(3))
    change(name, report)
    assert [line for line in differences(checked(report, tmp_path)) if line.startswith(told)] != []


def test_what_changed_since_an_earlier_report_is_named(tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text(json.dumps(fleet(3)))
    report = document(fleet(4)["hosts"])
    report["hosts"][1]["cells"][IMAGES[3]] = cell(IMAGES[3], kind="tag-moved")
    report["hosts"][1]["state"] = "drift"
    lines = differences(checked(seal(document(report["hosts"])), tmp_path, "--against", str(before)))
    assert lines == [
        f"host web1, image {IMAGES[3]}: not what it was in the earlier report",
        "host web3: only in this report",
    ]


def test_a_signature_is_verified_with_the_signers(key: Path, tmp_path: Path) -> None:
    content = json.dumps(fleet(2)).encode()
    path = tmp_path / "report.json"
    path.write_bytes(content)
    (tmp_path / "report.json.sig").write_text(sign(content, key=str(key)))
    signers = ("--signers", str(key.parent / "signers"))
    assert "signed by ops@example.com" in verified(path, *signers).stdout
    assert differences(verified(path, *signers)) == []
    assert differences(verified(path, *signers, "--identity", "ops@example.com")) == []
    (line,) = differences(verified(path, *signers, "--identity", "else@example.com"))
    assert line.startswith("signature: not one of else@example.com over this file")


def test_a_changed_byte_breaks_the_signature_even_where_no_root_has_it(key: Path, tmp_path: Path) -> None:
    content = json.dumps(fleet(2)).encode()
    (tmp_path / "s").write_text(sign(content, key=str(key)))
    path = tmp_path / "report.json"
    path.write_bytes(content.replace(b"2026-11-21", b"2026-11-22"))
    options = ("--signers", str(key.parent / "signers"), "--signature", str(tmp_path / "s"))
    (line,) = differences(verified(path, *options))
    assert line.startswith("signature: not one of ops@example.com over this file")


def test_a_signature_by_a_stranger_or_for_another_purpose_is_refused(key: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(fleet(1)))
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(key), str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    (line,) = differences(verified(path, "--signers", str(key.parent / "signers")))
    assert line.startswith("signature: ")
    nobody = tmp_path / "nobody"
    nobody.write_text("")
    (line,) = differences(verified(path, "--signers", str(nobody)))
    assert line.endswith(f"is not in {nobody}")


@pytest.mark.parametrize("kind", ["missing", "no key", "with a passphrase"])
def test_a_key_that_cannot_sign_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if kind == "no key":
        path.write_text("nothing")
    elif kind == "with a passphrase":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)], check=True)
    with pytest.raises(InputError) as caught:
        sign(b"{}", key=str(path))
    assert caught.value.code == "report-key-unusable"
    assert caught.value.why
    assert caught.value.subject == str(path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2}', '{"version": 1}', '{"version": 1, "hosts": [{"host": 1}]}']
)
def test_what_is_no_report_cannot_be_checked(content: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    done = verified(path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cannot check: ")
    assert verified(tmp_path / "none.json").returncode == 2


def test_names_in_a_report_do_not_reach_the_terminal_as_they_are(tmp_path: Path) -> None:
    report = fleet(1)
    report["hosts"][0].update(host="web\x1b[2J\nall is as the report says\u202e", root="")
    done = checked(report, tmp_path)
    assert done.returncode == 1
    assert "\\x1b[2J\\nall" in done.stdout
    assert "\x1b" not in done.stdout
