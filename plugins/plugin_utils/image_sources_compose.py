# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of a compose file: those of services and of mounts, of what it includes and extends.

Source: Compose Specification, services (image, platform, build, extends, volumes) and include.
"""

from __future__ import annotations

import typing as t

from .image_sources_variables import VariableError, interpolate
from .image_sources_yaml import read_documents

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .image_sources_base import Gathered, SourceFile

    Service = Mapping[str, t.Any]

_INHERITED = ("image", "platform", "build", "pull_policy", "provider")


def is_compose(document: object) -> bool:
    """Tell whether this is the content of a compose file."""
    if not isinstance(document, dict) or "apiVersion" in document:
        return False
    return isinstance(document.get("services"), dict) or ("services" not in document and _includes(document))


def _includes(document: Mapping[str, t.Any]) -> bool:
    return isinstance(document.get("include"), list)


def read_compose(file: SourceFile, documents: list[object], *, gathered: Gathered) -> None:
    """Put the images of a compose file, read as ``documents``, into ``gathered``."""
    reader = _Compose(gathered)
    reader.read(file, documents)


class _Compose:
    """Reads one project: each file of it once."""

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self._projects: dict[str, Mapping[str, t.Any]] = {}
        self._read: set[str] = set()

    def read(self, file: SourceFile, documents: list[object]) -> None:
        """Take the services of ``file`` and of all that it includes."""
        self._read.add(file.path)
        project = self._project(file, documents)
        for name, service in _mapping(project.get("services")).items():
            if isinstance(service, dict):
                self._take(file, f"services.{name}", service=self._whole(file, service, seen=((file.path, name),)))
            elif service is not None:
                self._gathered.problem(file.place(f"services.{name}"), "must be a mapping")
        for at, entry in enumerate(project.get("include") or ()):
            paths = entry.get("path") if isinstance(entry, dict) else entry
            for path in paths if isinstance(paths, list) else [paths]:
                self._include(file, f"include[{at}]", name=path)

    def _include(self, file: SourceFile, place: str, *, name: object) -> None:
        path = self._text(file, name, place=place)
        if path is None:
            return
        if "://" in path:
            self._gathered.skipped(file, place, why="it is not on the control node, and not read")
            return
        other = file.beside(path)
        if other.path not in self._read:
            documents = read_documents(other, self._gathered)
            if documents is not None:
                self.read(other, documents)

    def _project(self, file: SourceFile, documents: list[object] | None) -> Mapping[str, t.Any]:
        """Return the content of ``file``; several documents are taken one over the other, as compose does."""
        if file.path not in self._projects:
            found = documents if documents is not None else read_documents(file, self._gathered) or []
            if any(not isinstance(document, dict) for document in found):
                self._gathered.problem(file.label, "is no compose file")
            self._projects[file.path] = _merged([document for document in found if isinstance(document, dict)])
        return self._projects[file.path]

    def _whole(self, file: SourceFile, service: Service, *, seen: tuple[tuple[str, str], ...]) -> Service:
        """Return ``service`` with what it takes from the one that it extends."""
        extends = service.get("extends")
        if not extends:
            return service
        rule = extends if isinstance(extends, dict) else {"service": extends}
        place = f"services.{seen[-1][1]}.extends"
        base_name = self._text(file, rule.get("service"), place=place)
        base_file = file
        if rule.get("file"):
            name = self._text(file, rule["file"], place=f"{place}.file")
            base_file = file.beside(name) if name else file
        services = _mapping(self._project(base_file, None).get("services"))
        base = services.get(base_name or "")
        if not isinstance(base, dict) or (base_file.path, base_name or "") in seen:
            missing = f"there is no service {base_name!r} in {base_file.label}"
            self._gathered.problem(file.place(place), "goes in a circle" if isinstance(base, dict) else missing)
            return service
        whole = self._whole(base_file, base, seen=(*seen, (base_file.path, base_name or "")))
        inherited = {key: whole[key] for key in _INHERITED if whole.get(key) is not None}
        own = {key: value for key, value in service.items() if value is not None}
        return {**inherited, **own, "volumes": [*_list(whole.get("volumes")), *_list(service.get("volumes"))]}

    def _take(self, file: SourceFile, place: str, *, service: Service) -> None:
        gathered = self._gathered
        has_image = service.get("image") not in (None, "")
        if service.get("pull_policy") == "build" or (service.get("build") and not has_image):
            gathered.skipped(file, place, why="built and not pulled, so no image is taken from there")
        elif has_image:
            image = self._text(file, service["image"], place=f"{place}.image")
            platform = self._text(file, service.get("platform") or "", place=f"{place}.platform")
            if image is not None and platform is not None:
                gathered.found(file.place(f"{place}.image"), image, platform=platform)
        elif not service.get("provider"):
            gathered.skipped(file, place, why="no image is named there")
        for at, volume in enumerate(_list(service.get("volumes"))):
            if isinstance(volume, dict) and volume.get("type") == "image":
                where = f"{place}.volumes[{at}].source"
                source = self._text(file, volume.get("source"), place=where)
                if source is not None:
                    gathered.found(file.place(where), source)

    def _text(self, file: SourceFile, value: object, *, place: str) -> str | None:
        """Return ``value`` with its variables filled in; None, and a problem, where that cannot be."""
        if not isinstance(value, str):
            self._gathered.problem(file.place(place), "must be a text")
            return None
        try:
            return interpolate(value, file.variables)
        except VariableError as error:
            fix = "give it a default in the file, or a value in variables of this entry of from_file"
            self._gathered.problem(file.place(place), str(error), fix=fix)
            return None


def _merged(documents: list[Mapping[str, t.Any]]) -> Mapping[str, t.Any]:
    """Return one project of several documents: of each service what the later ones say goes first."""
    services: dict[str, t.Any] = {}
    include: list[t.Any] = []
    for document in documents:
        include += _list(document.get("include"))
        for name, service in _mapping(document.get("services")).items():
            before = services.get(name)
            if isinstance(before, dict) and isinstance(service, dict):
                service = {**before, **service}
            services[name] = service
    return {"services": services, "include": include}


def _mapping(value: object) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[t.Any]:
    return value if isinstance(value, list) else []
