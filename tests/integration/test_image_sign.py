# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_sign at a real registry: what it writes skopeo reads and openssl verifies, and what skopeo writes counts.

Debian's skopeo reads and writes signatures, asks for them by its policy, and has the judgement itself cut out. openssl
stands in for that; a skopeo that judges has to agree.
"""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support import images, signing
from ansible_collections.fleet.images.tests.support.cosign_keys import cosign_key, pem_key
from ansible_collections.fleet.images.tests.support.lifecycle import PATIENT
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.programs import require, run

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository

TEAM = signing.signer()
OTHER = signing.signer(name="other")
DISABLED = "Debian-local change: sigstore disabled"
SECRET = "only-we-know-this"


def sign(
    repository: Repository, tag: str = "1", *, by: signing.Signer = TEAM, check: bool = False, **given: t.Any
) -> dict[str, t.Any]:
    """Sign a tag, and return the module's result."""
    key = {} if "private_key_path" in given else {"private_key": pem_key(by)}
    params = {"name": [f"{repository}:{tag}"], "retry": 0, **key, **given}
    return run_module("image_sign", params, check=check, diff=True).result


def layers(repository: Repository, digest: str) -> list[dict[str, t.Any]]:
    """Return what is under the tag of an image's signatures."""
    path = f"/v2/{repository.path}/manifests/{digest.replace(':', '-')}.sig"
    answer = images.request(repository.registry, "GET", path, headers={"Accept": images.OCI_MANIFEST})
    return t.cast("list[dict[str, t.Any]]", json.loads(answer.body)["layers"])


class Skopeo(t.NamedTuple):
    """skopeo with attachments at the registry switched on."""

    folder: Path
    repository: Repository

    def copy(self, *arguments: str, policy: str = "insecureAcceptAnything", **rule: t.Any) -> str:
        """Copy by a policy of one rule. Return why skopeo refuses; empty if it does not."""
        require("skopeo")
        settings, rules = self.folder / "registries.d", self.folder / "policy.json"
        settings.mkdir(exist_ok=True)
        host = self.repository.registry.host
        (settings / "default.yaml").write_text(f'docker:\n  "{host}":\n    use-sigstore-attachments: true\n')
        rules.write_text(json.dumps({"default": [{"type": policy, **rule}]}))
        insecure = [f"--{side}-tls-verify=false" for side in ("src", "dest")]
        try:
            run(["skopeo", "--policy", rules, "--registries.d", settings, "copy", "-q", *insecure, *arguments])
        except AssertionError as error:
            return str(error)
        return ""

    def judge(self, *, key: signing.Signer = TEAM, **rule: t.Any) -> str:
        """Return why a policy that asks for signatures refuses the image under tag 1."""
        (self.folder / "key.pub").write_text(key.pem)
        rule["keyPath"] = str(self.folder / "key.pub")
        target = f"dir:{self.folder / 'judged'}"
        source = f"docker://{self.repository}:1"
        return self.copy("--remove-signatures", source, target, policy="sigstoreSigned", **rule)

    def signatures(self) -> list[tuple[bytes, bytes]]:
        """Return payload and signature of all that skopeo finds beside the image under tag 1."""
        folder = self.folder / "copy"
        assert self.copy(f"docker://{self.repository}:1", f"dir:{folder}") == ""
        found = []
        for path in sorted(folder.glob("signature-*")):
            start, document = path.read_bytes().split(b"\n", 1)
            assert start == b"\0sigstore-json"
            row = json.loads(document)
            value = row["annotations"]["dev.cosignproject.cosign/signature"]
            found.append((base64.b64decode(row["payload"]), base64.b64decode(value)))
        return found


def is_right(key: signing.Signer, payload: bytes, value: bytes, *, folder: Path) -> bool:
    """Let openssl judge a signature."""
    require("openssl")
    files = {"key.pem": key.pem.encode(), "payload": payload, "value": value}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    edwards = "ed25519" in type(key.private).__name__.lower()
    judge: list[str | Path] = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", folder / "key.pem", "-rawin"]
    judge += ["-in", folder / "payload", "-sigfile", folder / "value", *([] if edwards else ["-digest", "sha256"])]
    try:
        run(judge)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
def test_skopeo_finds_what_we_sign_and_openssl_verifies_it(kind: str, repository: Repository, tmp_path: Path) -> None:
    made = images.push_image(repository.registry, repository.path, "1")
    skopeo, key = Skopeo(tmp_path, repository), signing.signer(kind, "skopeo")
    sign(repository, by=key)
    sign(repository, by=key, identity="exact")
    found = skopeo.signatures()
    assert [payload for payload, _value in found] == [
        signing.payload(name, made.digest) for name in (str(repository), f"{repository}:1")
    ]
    assert all(is_right(key, payload, value, folder=tmp_path) for payload, value in found)
    other = signing.signer(kind, "another")
    assert not any(is_right(other, payload, value, folder=tmp_path) for payload, value in found)


def test_a_policy_of_skopeo_judges_what_we_sign(repository: Repository, tmp_path: Path) -> None:
    images.push_image(repository.registry, repository.path, "1")
    skopeo, any_tag = Skopeo(tmp_path, repository), {"type": "matchRepository"}
    assert "no signature exists" in skopeo.judge(signedIdentity=any_tag)
    sign(repository)
    judged = skopeo.judge(signedIdentity=any_tag)
    assert "no signature exists" not in judged
    if DISABLED not in judged:
        assert judged == ""
        assert skopeo.judge() != "", "without matchRepository a policy asks for the tag"
        assert skopeo.judge(key=OTHER, signedIdentity=any_tag) != ""
        sign(repository, identity="exact")
        assert skopeo.judge() == ""


def test_of_an_index_skopeo_asks_for_the_signature_of_the_platform(repository: Repository, tmp_path: Path) -> None:
    made = images.push_index(repository.registry, repository.path, "1")
    skopeo = Skopeo(tmp_path, repository)
    sign(repository)
    assert "no signature exists" in skopeo.judge()
    done = sign(repository, recursive=True)
    assert [(row["digest"], row["changed"]) for row in done["images"]] == [
        (made.digest, False),
        *((image.digest, True) for image in made.images),
    ]
    assert "no signature exists" not in skopeo.judge()


def test_what_skopeo_writes_is_verified_and_not_signed_again(
    repository: Repository, tmp_path: Path, host: Host
) -> None:
    """The signature is made outside; skopeo puts it into the registry, in its own layout."""
    made = images.make_image({"a": b"1"})
    source = repository._replace(path=f"{repository.path}/source")
    skopeo, folder = Skopeo(tmp_path, repository), tmp_path / "image"
    source.push("1", made)
    assert skopeo.copy(f"docker://{source}:1", f"dir:{folder}") == ""
    payload = signing.payload(f"{repository}:1", made.digest)
    row = {
        "mimeType": signing.SIMPLE_SIGNING,
        "payload": base64.b64encode(payload).decode(),
        "annotations": {"dev.cosignproject.cosign/signature": base64.b64encode(TEAM.sign(payload)).decode()},
    }
    (folder / "signature-1").write_bytes(b"\0sigstore-json\n" + json.dumps(row).encode())
    assert skopeo.copy(f"dir:{folder}", f"docker://{repository}:1") == ""
    verify = [{"pattern": "*", "keys": [TEAM.pem], "identity": "exact"}]
    host.settle("image_pull", name=[f"{repository}:1"], verify=verify)
    assert sign(repository, identity="exact")["changed"] is False, "skopeo's signature was not seen"
    assert sign(repository)["changed"] is True
    (first, second) = skopeo.signatures()
    assert first[0] == payload
    assert second[0] == signing.payload(str(repository), made.digest)


@pytest.mark.parametrize("label", ["SIGSTORE", "COSIGN"])
def test_a_key_that_cosign_made_signs(label: str, repository: Repository, tmp_path: Path) -> None:
    images.push_image(repository.registry, repository.path, "1")
    private = tmp_path / "cosign.key"
    private.write_text(cosign_key(TEAM, passphrase=SECRET, label=label))
    by_key: dict[str, t.Any] = {"private_key_path": str(private), "private_key_passphrase": SECRET}
    done = sign(repository, **by_key)
    assert (done["changed"], done["fingerprint"]) == (True, TEAM.fingerprint)
    assert sign(repository)["changed"] is False, "it is the same key"


def test_check_mode_says_what_is_done_and_the_second_run_changes_nothing(repository: Repository, host: Host) -> None:
    made = images.push_index(repository.registry, repository.path, "1")
    announced = sign(repository, check=True, recursive=True)
    assert repository.registry.tags(repository.path) == ["1"]
    done = sign(repository, recursive=True)
    again = sign(repository, recursive=True)
    assert announced | {"elapsed": 0} == done | {"elapsed": 0}
    assert done["changed"] is True
    assert done["fingerprint"] == TEAM.fingerprint
    assert done["diff"]["after"].count("signed by") == 3
    assert again["changed"] is False
    assert again["diff"] == {"before": "", "after": ""}
    assert [row["digest"] for row in done["images"]] == [made.digest, *(image.digest for image in made.images)]
    rules = [{"pattern": "*", "keys": [TEAM.pem]}]
    host.settle("image_pull", name=[f"{repository}:1"], verify=rules)
    assert sign(repository, by=OTHER)["changed"] is True
    assert len(layers(repository, made.digest)) == 2


def test_what_is_written_is_what_cosign_writes(repository: Repository) -> None:
    made = images.push_image(repository.registry, repository.path, "1")
    sign(repository)
    tag = made.digest.replace(":", "-") + ".sig"
    answer = images.request(
        repository.registry, "GET", f"/v2/{repository.path}/manifests/{tag}", headers={"Accept": images.OCI_MANIFEST}
    )
    document = json.loads(answer.body)
    (layer,) = document["layers"]
    assert answer.headers["content-type"] == document["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert document["schemaVersion"] == 2
    assert document["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert list(layer["annotations"]) == ["dev.cosignproject.cosign/signature"]
    blobs = f"/v2/{repository.path}/blobs/"
    payload = images.request(repository.registry, "GET", blobs + layer["digest"]).body
    assert payload == signing.payload(str(repository), made.digest)
    config = json.loads(images.request(repository.registry, "GET", blobs + document["config"]["digest"]).body)
    assert config["rootfs"] == {"type": "layers", "diff_ids": [layer["digest"]]}


def test_of_signers_at_once_none_loses_anothers_signature(repository: Repository, host: Host) -> None:
    made = images.push_image(repository.registry, repository.path, "1")
    signers = [signing.signer(name=f"signer {number}") for number in range(4)]
    params = {"name": [f"{repository}:1"], **PATIENT}
    started = [host.start("image_sign", **params, private_key=pem_key(signer)) for signer in signers]
    said = [process.communicate(timeout=120)[0].decode() for process in started]
    results = [json.loads(text.strip().splitlines()[-1]) for text in said]
    assert [result.get("changed") for result in results] == [True] * 4, results
    assert len(layers(repository, made.digest)) == 4
    for signer in signers:
        assert sign(repository, by=signer)["changed"] is False


def test_a_pinned_image_is_signed_under_its_digest_wherever_the_tag_is(repository: Repository) -> None:
    made = images.push_image(repository.registry, repository.path, "1")
    repository.push("1", images.make_image({"other": b"1"}))
    done = sign(repository, f"1@{made.digest}")
    assert [row["digest"] for row in done["images"]] == [made.digest]
    assert len(layers(repository, made.digest)) == 1


def test_what_others_wrote_beside_their_signature_stays(repository: Repository) -> None:
    made = images.push_image(repository.registry, repository.path, "1")
    theirs = signing.signed(str(repository), made.digest, OTHER)
    theirs = theirs._replace(annotations={"dev.sigstore.cosign/bundle": '{"a":1}'})
    signing.push_tagged(repository.registry, repository.path, made.digest, theirs)
    (before,) = layers(repository, made.digest)
    sign(repository)
    first, second = layers(repository, made.digest)
    assert first == before
    assert second["digest"] == before["digest"], "the same payload, by another key"
    assert second["annotations"] != before["annotations"]


ERRORS: dict[str, tuple[dict[str, t.Any], str]] = {
    "wrong passphrase": (
        {"private_key": pem_key(TEAM, passphrase="right"), "private_key_passphrase": SECRET},
        "bad-passphrase",
    ),
    "wrong passphrase of cosign": (
        {"private_key": cosign_key(TEAM, passphrase="right"), "private_key_passphrase": SECRET},
        "bad-passphrase",
    ),
    "no passphrase": ({"private_key": pem_key(TEAM, passphrase=SECRET)}, "passphrase-missing"),
    "public key": ({"private_key": TEAM.pem}, "bad-private-key"),
    "no such file": ({"private_key_path": "/nowhere/team.key"}, "key-unreadable"),
    "no such image": ({"tag": "2", "name": ["NAME"]}, "image-not-found"),
    "no tag": ({"identity": "exact", "name": ["NAME@sha256:" + "a" * 64]}, "bad-input"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_wrong_is_told_in_check_mode_too_and_shows_no_key(case: str, repository: Repository) -> None:
    given, code = ERRORS[case]
    images.push_image(repository.registry, repository.path, "1")
    if "name" in given:
        given = {**given, "name": [text.replace("NAME", str(repository)) for text in given["name"]]}
    announced, refused = (sign(repository, check=check, **given) for check in (True, False))
    assert refused["failed"]
    assert refused["error"]["code"] == code
    assert announced["error"] == refused["error"]
    told = json.dumps({key: value for key, value in refused.items() if key != "invocation"})
    lines = [line for line in str(given.get("private_key") or "").splitlines() if line and "-----" not in line]
    assert not any(text in told for text in [SECRET, *lines])
    assert repository.registry.tags(repository.path) == ["1"]


def test_a_tag_that_holds_something_else_is_left_alone(repository: Repository) -> None:
    made = images.push_image(repository.registry, repository.path, "1")
    tag = made.digest.replace(":", "-") + ".sig"
    images.push_index(repository.registry, repository.path, tag)
    before = repository.digest(tag)
    assert sign(repository)["error"]["code"] == "nested-index"
    assert repository.digest(tag) == before


def test_no_output_of_a_play_shows_key_or_passphrase(repository: Repository, tmp_path: Path) -> None:
    images.push_image(repository.registry, repository.path, "1")
    key = pem_key(TEAM, passphrase=SECRET)
    good = {"name": f"{repository}:1", "private_key": key, "private_key_passphrase": SECRET}
    tasks: list[dict[str, t.Any]] = [
        {"name": "sign", "fleet.images.image_sign": good},
        {"name": "again", "fleet.images.image_sign": good},
        {"name": "bad", "fleet.images.image_sign": {**good, "private_key_passphrase": SECRET + "x"}},
    ]
    tasks[2]["ignore_errors"] = True
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    done = run_playbook([play], tmp_path, arguments=["-vvvv", "--diff"])
    assert done.returncode == 0, done.output
    assert [done.of(name).changed for name in ("sign", "again")] == [True, False]
    assert done.of("bad").result["error"]["code"] == "bad-passphrase"
    lines = [line for line in key.splitlines() if "-----" not in line]
    told = done.output + json.dumps([row.result for row in done.results])
    assert not any(text in told for text in [SECRET, *lines])
