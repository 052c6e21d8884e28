# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: normal forms, and which image of an index suits a host."""

from __future__ import annotations

import re
import typing as t

from .errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .fields import Fields

#: (architecture, variant) as people and kernels write it -> normal form. Source: containerd/platforms database.go.
_ARCHITECTURES = {
    "aarch64": ("arm64", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv5l": ("arm", "v5"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v8"),
}
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_DEFAULT_VARIANTS = {("arm64", "v8"), ("arm64", "8"), ("amd64", "v1")}
_OPERATING_SYSTEMS = {"macos": "darwin"}
_KNOWN_OPERATING_SYSTEMS = frozenset(
    {"aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios"}
    | {"linux", "netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows"}
)


class Platform(t.NamedTuple):
    """Operating system, architecture and variant in normal form (``arm64`` has no ``v8``, ``amd64`` no ``v1``)."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        """Return ``os/architecture`` or ``os/architecture/variant``."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def of(cls, os: str, architecture: str, *, variant: str = "", os_version: str = "") -> Platform:
        """Return the normal form of these words."""
        os = _OPERATING_SYSTEMS.get(os.lower(), os.lower())
        architecture = architecture.lower()
        variant = variant.lower()
        known, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
        variant = variant or implied
        if known == "arm":
            # A bare number is accepted as a variant; arm without one means v7.
            variant = f"v{variant}" if variant.isdigit() else variant or "v7"
        if (known, variant) in _DEFAULT_VARIANTS:
            variant = ""
        return cls(os, known, variant, os_version)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Return the platform that ``text`` spells: ``linux/arm64/v8``, ``linux/amd64``, or an architecture alone.

        Raises:
            InputError: not of one to three parts, a part is empty or has odd characters, an operating system without
                architecture, or a list.
        """
        parts = text.strip().split("/") if "," not in text else []
        if len(parts) == 1 and _WORD.fullmatch(parts[0]) and parts[0].lower() not in _KNOWN_OPERATING_SYSTEMS:
            return cls.of("linux", parts[0])
        if len(parts) not in (2, 3) or not all(map(_WORD.fullmatch, parts)):
            raise InputError(
                f"{text!r} is not a platform",
                code="bad-platform",
                why="a platform is os/architecture or os/architecture/variant; several are for builds only",
                fix="write it like linux/amd64, linux/arm/v7 or arm64",
                subject=text,
            )
        return cls.of(parts[0], parts[1], variant="".join(parts[2:]))

    @classmethod
    def from_json(cls, fields: Fields) -> Platform:
        """Return the platform object of a descriptor or an image config.

        Raises:
            PeerError: a field is not text.
        """
        return cls.of(
            fields.optional_text("os"),
            fields.optional_text("architecture"),
            variant=fields.optional_text("variant"),
            os_version=fields.optional_text("os.version"),
        )

    def to_json(self) -> dict[str, str]:
        """Return the object that ``from_json`` reads; what is empty is left out."""
        words = (
            ("architecture", self.architecture),
            ("os", self.os),
            ("os.version", self.os_version),
            ("variant", self.variant),
        )
        return {key: word for key, word in words if word}

    def ladder(self) -> list[tuple[str, str]]:
        """Return the (architecture, variant) pairs that a host of this platform runs, its own among them, best first.

        Source: containerd/platforms compare.go (platformVector).
        """
        own = (self.architecture, self.variant)
        rungs = self._rungs()
        return rungs if own in rungs else [own, *rungs]

    def _rungs(self) -> list[tuple[str, str]]:
        if self.architecture == "amd64":
            levels = [f"v{level}" for level in range(_number(self.variant) or 1, 1, -1)]
            return [("amd64", level) for level in levels] + [("amd64", ""), ("386", "")]
        if self.architecture == "arm":
            return [("arm", f"v{level}") for level in range(_number(self.variant) or 7, 4, -1)]
        if self.architecture == "arm64":
            return [*_arm64_ladder(self.variant), *(("arm", f"v{level}") for level in range(8, 4, -1))]
        return [(self.architecture, "")]

    def satisfies(self, wanted: Platform) -> bool:
        """Tell whether an image of this platform runs on a host that is ``wanted``."""
        return choose([self], wanted) is not None


def choose(platforms: Sequence[Platform | None], wanted: Platform) -> int | None:
    """Return the place of the platform that suits ``wanted`` best, or None where none does.

    Ladder order first, then the sequence's own order, as containerd does. None in the sequence suits nothing.
    """
    for architecture, variant in wanted.ladder():
        for at, platform in enumerate(platforms):
            if platform is not None and (platform.os, platform.architecture, platform.variant) == (
                wanted.os,
                architecture,
                variant,
            ):
                return at
    return None


def _number(variant: str) -> int:
    """Return 7 for ``v7`` and 9 for ``v9.2``; 0 for what is no version. Two digits bound the ladder."""
    match = re.fullmatch(r"v([0-9]{1,2})(?:\..*)?", variant)
    return int(match[1]) if match else 0


def _arm64_ladder(variant: str) -> list[tuple[str, str]]:
    """Lower minors of the same major; 9.x also runs 8.(x+5) and below; 8.0 is written without a variant."""
    major = _number(variant) or 8
    minor = _number(f"v{variant.partition('.')[2]}")
    steps = [(major, lower) for lower in range(minor, -1, -1)]
    if major == 9:
        steps += [(8, lower) for lower in range(minor + 5, -1, -1)]
    names = [f"v{a}.{b}" if b else f"v{a}" for a, b in steps]
    return [("arm64", "" if name == "v8" else name) for name in names]
