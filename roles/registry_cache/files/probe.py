# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetch images through a cache as several cold hosts at once would, compare every byte, and see that the cache kept it.

Prints one JSON object: ``images``, ``contents`` (manifests and blobs), ``bytes`` (of all contents, once), ``sent`` (by
the cache, of blobs, to all clients) and ``fetched`` (of these, by the cache from its upstream while this ran, as
X-Cache-Status tells; null where nothing tells). Exit status 1, and a line for each problem on the standard error, when
content is wrong or was not kept.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import ssl
import sys
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

_TYPES = ", ".join(
    "application/vnd." + name
    for name in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)
_CHUNK = 1 << 20


class Content(t.NamedTuple):
    """Something a repository holds: ``kind`` is manifests or blobs, ``size`` -1 where nothing tells it."""

    repository: str
    kind: str
    digest: str
    size: int = -1


class Fetched(t.NamedTuple):
    """What one client got. ``status`` is the cache's own word: HIT, MISS, or "" where it says nothing."""

    content: Content
    length: int
    status: str
    problem: str
    document: t.Mapping[str, t.Any]


class Cache:
    """The cache at ``url``. Tokens are fetched as its answers ask for them, without an account."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Where it is asked by its address no certificate fits; what it sends is checked by digest.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        no_proxies = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(no_proxies, urllib.request.HTTPSHandler(context=context))
        self._tokens: dict[str, str] = {}

    def fetch(self, content: Content) -> Fetched:
        """Return what the cache sends; every failure is a problem, not an exception."""
        try:
            with self._open(content) as answer:
                return _compared(content, answer)
        except (OSError, ValueError) as error:
            return Fetched(content, length=0, status="", problem=f"{content.digest}: {error}", document={})

    def _open(self, content: Content) -> t.Any:
        question = urllib.request.Request(f"{self.url}/v2/{content.repository}/{content.kind}/{content.digest}")
        question.add_header("Accept", _TYPES)
        if content.repository in self._tokens:
            question.add_header("Authorization", "Bearer " + self._tokens[content.repository])
        try:
            return self._opener.open(question, timeout=3600)
        except urllib.error.HTTPError as answer:
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.code != 401 or question.has_header("Authorization") or not challenge.startswith("Bearer "):
                raise
            answer.close()
        self._tokens[content.repository] = _token(challenge, content.repository)
        return self._open(content)


def contents_of(cache: Cache, image: str) -> tuple[list[Content], list[str]]:
    """Return all that the image "REPOSITORY@DIGEST" consists of, itself first, and what went wrong."""
    repository, _at, digest = image.partition("@")
    found = {digest: Content(repository, "manifests", digest)}
    problems = []
    queue = [digest]
    while queue:
        fetched = cache.fetch(found[queue.pop()])
        if fetched.problem:
            problems.append(fetched.problem)
        found[fetched.content.digest] = fetched.content._replace(size=fetched.length)
        for entry in fetched.document.get("manifests", ()):
            found[entry["digest"]] = Content(repository, "manifests", entry["digest"], entry["size"])
            queue.append(entry["digest"])
        for entry in (fetched.document.get("config"), *fetched.document.get("layers", ())):
            if entry and not entry.get("urls"):
                found[entry["digest"]] = Content(repository, "blobs", entry["digest"], entry["size"])
    return list(found.values()), problems


def main() -> int:
    """Do what the arguments say and return the exit status."""
    parser = argparse.ArgumentParser(description="Fetch images through a cache, and compare every byte.")
    parser.add_argument("--url", required=True, help="the cache, as in http://127.0.0.1:5000")
    parser.add_argument("--store", default="", help="the data folder of docker-registry, where content must appear")
    parser.add_argument("--clients", type=int, default=4, help="how many fetch the same blob at once")
    parser.add_argument("images", nargs="+", metavar="REPOSITORY@DIGEST")
    options = parser.parse_args()
    cache = Cache(options.url)
    contents, problems = [], []
    for image in options.images:
        own, wrong = contents_of(cache, image)
        contents += own
        problems += wrong
    blobs = sorted({content for content in contents if content.kind == "blobs"}, key=lambda blob: -blob.size)
    # docker-registry fetches what it lacks for every client, so it is asked by one alone.
    clients = 1 if options.store else options.clients
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        fetched = [one for blob in blobs for one in pool.map(cache.fetch, [blob] * clients)]
    problems += [one.problem for one in fetched if one.problem] or _not_kept(cache, contents, store=options.store)
    answer = {
        "images": len(options.images),
        "contents": len(contents),
        "bytes": sum(content.size for content in contents),
        "sent": sum(one.length for one in fetched),
        "fetched": sum(one.length for one in fetched if one.status != "HIT") if fetched and fetched[0].status else None,
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stderr.writelines(problem + "\n" for problem in problems)
    return 1 if problems else 0


def _not_kept(cache: Cache, contents: t.Sequence[Content], *, store: str) -> list[str]:
    """Return a line for every content that the cache would have to fetch again."""
    if store:
        # The proxy stores beside sending: give it the time that takes.
        deadline = time.monotonic() + 60
        lacking = [content for content in contents if not _is_stored(content, store)]
        while lacking and time.monotonic() < deadline:
            time.sleep(0.1)
            lacking = [content for content in lacking if not _is_stored(content, store)]
    else:
        lacking = [content for content in contents if cache.fetch(content).status not in ("HIT", "")]
    return [f"{content.digest}: the cache did not keep it" for content in lacking]


def _is_stored(content: Content, store: str) -> bool:
    algorithm, _colon, name = content.digest.partition(":")
    path = os.path.join(store, "docker", "registry", "v2", "blobs", algorithm, name[:2], name, "data")
    return os.path.exists(path) and os.path.getsize(path) == content.size


def _compared(content: Content, answer: t.Any) -> Fetched:
    digest, length, kept = hashlib.sha256(), 0, bytearray()
    for chunk in iter(lambda: answer.read(_CHUNK), b""):
        digest.update(chunk)
        length += len(chunk)
        if content.kind == "manifests":
            kept += chunk
    status, problem = answer.headers.get("X-Cache-Status", ""), ""
    if content.size not in (-1, length):
        problem = f"{content.digest}: {length} bytes came, {content.size} are right"
    elif content.digest != "sha256:" + digest.hexdigest():
        problem = f"{content.digest}: other bytes came, sha256:{digest.hexdigest()}"
    document = json.loads(kept) if kept and not problem else {}
    return Fetched(content, length, status, problem, document)


def _token(challenge: str, repository: str) -> str:
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    scope = fields.get("scope") or f"repository:{repository}:pull"
    query = urllib.parse.urlencode({"service": fields.get("service", ""), "scope": scope})
    with urllib.request.urlopen(f"{fields.get('realm', '')}?{query}", timeout=60) as answer:
        document = json.load(answer)
    return str(document.get("token") or document.get("access_token") or "")


if __name__ == "__main__":
    raise SystemExit(main())
