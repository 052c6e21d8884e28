# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""Check a report of fleet.images: ``python3 verify_report.py report.json``.

Needs Python 3.9 and, for signatures, OpenSSH 8.2. It shares no code with the collection.

What is recomputed, H being SHA-256:
  leaf of an image on a host  H(00 + JSON of {config, index, manifest, reference} and, where known, diff_ids)
  leaf of a host in the fleet H(00 + JSON of {host, root})
  JSON                        keys sorted, no spaces, everything but ASCII as \uXXXX
  node of two                 H(01 + left + right)
  root over n > 1 leaves      left: the first 2^k leaves with the largest 2^k < n; right: the others; both made likewise
Images are in the order of their references, hosts in that of their names. The root over nothing is "".

Ends with 0: all is as it says; 1: something differs, each thing on a line; 2: it cannot be checked.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import pathlib
import subprocess
import sys
import typing as t

NAMESPACE = "fleet.images"
Report = dict[str, t.Any]


class CannotCheckError(Exception):
    """A file is missing or no report, or a program is not there."""


def digest_of_leaf(value: dict[str, t.Any]) -> str:
    """Return the leaf of one image on a host, or of one host in the fleet."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(b"\x00" + text.encode()).hexdigest()


def root_over(leaves: list[str]) -> str:
    """Return the root over leaves that are in their order."""
    if not leaves:
        return ""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = root_over(leaves[:half]), root_over(leaves[half:])
    return hashlib.sha256(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def leaves_of(host: Report) -> dict[str, str]:
    """Return the leaf of every image on a host, by reference."""
    leaves = {}
    for reference, cell in host["cells"].items():
        value = {"reference": reference}
        value.update({name: cell.get(name) or "" for name in ("config", "index", "manifest")})
        if cell.get("diff_ids"):
            value["diff_ids"] = cell["diff_ids"]
        leaves[reference] = "sha256:" + digest_of_leaf(value)
    return leaves


def as_root(leaves: list[str]) -> str:
    """Return the root as a report has it."""
    root = root_over([leaf.partition(":")[2] for leaf in leaves])
    return "sha256:" + root if root else ""


def wrong_roots(report: Report) -> t.Iterator[str]:
    """Yield what of the leaves and roots is not what the digests in the report lead to."""
    roots = {}
    for host in report["hosts"]:
        name, leaves = host["host"], leaves_of(host)
        for reference, leaf in sorted(leaves.items()):
            if host["cells"][reference].get("leaf") != leaf:
                yield f"host {name}, image {reference}: its digests are not those that were sealed"
        roots[name] = as_root([leaves[reference] for reference in sorted(leaves)])
        if host["root"] != roots[name]:
            yield f"host {name}: the root is {host['root'] or 'empty'}, its images lead to {roots[name] or 'none'}"
    if len(roots) != len(report["hosts"]):
        yield "a host is there twice"
    rows = [{"host": name, "root": roots[name]} for name in sorted(roots)]
    fleet = as_root(["sha256:" + digest_of_leaf(row) for row in rows])
    if report["root"] != fleet:
        yield f"fleet: the root is {report['root'] or 'empty'}, its hosts lead to {fleet or 'none'}"


def wrong_claims(report: Report) -> t.Iterator[str]:
    """Yield what the report calls verified, or counts, and what its own rows deny."""
    held = collections.defaultdict(lambda: collections.defaultdict(list))  # type: t.Any
    states, classes = collections.Counter(), collections.Counter()  # type: t.Any, t.Any
    for host in report["hosts"]:
        states[host["state"]] += 1
        for reference, cell in sorted(host["cells"].items()):
            classes[cell["class"]] += 1
            if host["state"] == "verified" and cell["class"] != "verified":
                yield f"host {host['host']}: it is called verified, and {reference} is {cell['class']}"
            if cell["class"] != "verified":
                continue
            known = [cell.get(kind) or "" for kind in ("index", "manifest", "config")]
            if cell["wanted"] and all(known[:2]) and cell["wanted"] not in known:
                yield f"host {host['host']}, image {reference}: it is called verified, and is not {cell['wanted']}"
            for kind in ("manifest", "config") if cell["wanted"] else ():
                if cell.get(kind):
                    held[reference, cell["wanted"], host["platform"], kind][cell[kind]].append(host["host"])
    for (reference, _wanted, platform, kind), hosts in sorted(held.items()):
        if len(hosts) > 1:
            told = "; ".join(f"{digest} on {', '.join(names)}" for digest, names in sorted(hosts.items()))
            yield f"image {reference} for {platform}: verified hosts hold more than one {kind}: {told}"
    totals = report["totals"]
    for state in ("verified", "drift", "failed", "unreachable"):
        if totals[state] != states[state]:
            yield f"totals: {totals[state]} hosts are {state}, counted {states[state]}"
    for name in sorted({*totals["cells"], *classes}):
        if totals["cells"].get(name, 0) != classes[name]:
            yield f"totals: {totals['cells'].get(name, 0)} images are {name}, counted {classes[name]}"


def changes(report: Report, before: Report) -> t.Iterator[str]:
    """Yield each image on each host that is not what it was in an earlier report."""
    old = {host["host"]: leaves_of(host) for host in before["hosts"]}
    new = {host["host"]: leaves_of(host) for host in report["hosts"]}
    for host in sorted({*old, *new}):
        if host not in old or host not in new:
            yield f"host {host}: only in {'this' if host in new else 'the earlier'} report"
            continue
        for reference in sorted({*old[host], *new[host]}):
            if old[host].get(reference) != new[host].get(reference):
                yield f"host {host}, image {reference}: not what it was in the earlier report"


def wrong_signature(content: bytes, *, signature: str, signers: str, identity: str) -> t.Iterator[str]:
    """Yield why the signature is none by one of the signers, if it is not."""
    if not identity:
        found = run_ssh_keygen(["find-principals", "-f", signers, "-s", signature], b"")
        identity = found.stdout.decode().partition("\n")[0].strip()
        if not identity:
            yield f"signature: the key that made {signature} is not in {signers}"
            return
    argv = ["verify", "-n", NAMESPACE, "-f", signers, "-I", identity, "-s", signature]
    done = run_ssh_keygen(argv, content)
    if done.returncode == 0:
        say(f"signed by {identity}")
        return
    said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
    yield f"signature: not one of {identity} over this file: {said[0] if said else 'ssh-keygen says nothing'}"


def run_ssh_keygen(arguments: list[str], content: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a signature operation of ssh-keygen to its end."""
    try:
        return subprocess.run(["ssh-keygen", "-Y", *arguments], input=content, capture_output=True, check=False)
    except FileNotFoundError:
        raise CannotCheckError("ssh-keygen is not installed") from None


def say(line: str, *, file: t.TextIO | None = None) -> None:
    """Print a line in which names from a report cannot move the cursor, colour anything or start another line."""
    print("".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in line), file=file)


def read(path: str) -> bytes:
    """Return a file's bytes."""
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise CannotCheckError(f"{path} cannot be read: {error.strerror}") from None


def parsed(content: bytes, path: str) -> Report:
    """Return the report in a file."""
    try:
        report = json.loads(content)
    except ValueError as error:
        raise CannotCheckError(f"{path} is no JSON: {error}") from None
    if not isinstance(report, dict) or report.get("version") != 1:
        raise CannotCheckError(f"{path} is no report of version 1")
    return report


def problems(options: argparse.Namespace) -> t.Iterator[str]:
    """Yield everything that differs, and print what else there is to know."""
    content = read(options.report)
    report = parsed(content, options.report)
    try:
        yield from wrong_roots(report)
        yield from wrong_claims(report)
        if options.against:
            yield from changes(report, parsed(read(options.against), options.against))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CannotCheckError(f"{options.report} lacks a part of a report, or has it malformed: {error!r}") from None
    if options.signers:
        signature = options.signature or options.report + ".sig"
        for path in (signature, options.signers):
            read(path)
        yield from wrong_signature(content, signature=signature, signers=options.signers, identity=options.identity)
    say(f"{len(report['hosts'])} hosts, {len(report['images'])} images, made at {report['made_at']}")
    say(f"root {report['root']}")


def main(argv: list[str]) -> int:
    """Check what the arguments name, and return the status to end with."""
    parser = argparse.ArgumentParser(description="Check a report of fleet.images.")
    parser.add_argument("report", help="the JSON file")
    parser.add_argument("--signers", default="", help="the file of allowed signers; without it signatures are not read")
    parser.add_argument("--signature", default="", help="the signature's file; report.json.sig of report.json")
    parser.add_argument("--identity", default="", help="who must have signed; anybody among the signers")
    parser.add_argument("--against", default="", help="an earlier report, to name what changed since")
    options = parser.parse_args(argv)
    try:
        found = list(problems(options))
    except CannotCheckError as error:
        say(f"cannot check: {error}", file=sys.stderr)
        return 2
    for line in found:
        say(f"DIFFERS: {line}")
    say("all is as the report says" if not found else f"{len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
