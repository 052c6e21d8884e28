# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML as image sources are written: versions stay texts, unknown tags do no harm, a key that comes twice is told."""

from __future__ import annotations

import json
import typing as t

import yaml

from .image_sources_base import read_text

if t.TYPE_CHECKING:
    from .image_sources_base import Gathered, SourceFile

_MERGE = "tag:yaml.org,2002:merge"
_KEPT = frozenset({_MERGE, "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"})


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two classes
    """Makes no number of ``1.10`` and no time of a date: a tag is the text that was written."""

    yaml_implicit_resolvers: t.ClassVar = {
        first: [(tag, pattern) for tag, pattern in rows if tag in _KEPT]
        for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def read_untagged(self, _tag: str, node: yaml.Node) -> object:
        """Return what has a tag of an application (compose's ``!override``) as if it had none."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_scalar(node) or None


_Loader.add_multi_constructor("!", _Loader.read_untagged)


def read_documents(file: SourceFile, gathered: Gathered) -> list[object] | None:
    """Return the documents of a YAML or JSON file, less empty ones; None, and a problem, where it is none."""
    text = read_text(file, gathered)
    if text is None:
        return None
    try:
        return documents_of(text, is_json=file.path.endswith(".json"))
    except ValueError as error:
        gathered.problem(file.label, f"is no valid {'JSON' if file.path.endswith('.json') else 'YAML'}: {error}")
        return None


def documents_of(text: str, *, is_json: bool = False) -> list[object]:
    """Return the documents in ``text``, less empty ones.

    Raises:
        ValueError: it cannot be read; its text says where.
    """
    if is_json:
        return [json.loads(text)]
    loader = None
    try:
        loader = _Loader(text)  # looks for characters that YAML does not allow
        found = []
        while loader.check_node():
            node = loader.get_node()
            _check_keys(node)
            found.append(loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(where + (error.problem or error.context or "")) from error
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    finally:
        if loader is not None:
            loader.dispose()
    return [document for document in found if document is not None]


def _check_keys(root: yaml.Node) -> None:
    """Raise if a mapping has a key twice: the first would be lost, and with it perhaps an image."""
    seen: set[int] = set()
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            open_nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            _check_mapping([key for key, _value in node.value])
            open_nodes += [value for _key, value in node.value]


def _check_mapping(nodes: list[yaml.Node]) -> None:
    keys: set[str] = set()
    for key in nodes:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        if key.value in keys:
            raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} comes twice", problem_mark=key.start_mark)
        keys.add(key.value)
