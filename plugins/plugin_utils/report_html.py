# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one page that needs nothing but itself: hosts by images, a filter, details, and how earlier runs ended.

Names and messages come from hosts and registries, and nobody vouches for them. They are escaped, and the page's policy
lets a browser run the one script of this collection and fetch nothing, whatever a name looks like.
"""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
from collections import Counter
from html import escape
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: How a state or class looks: its colour's name, and its sign, for who does not see colours.
SIGNS = {
    "verified": ("good", "✓"),
    "drift": ("warn", "△"),
    "missing": ("warn", "○"),
    "tag-moved": ("warn", "→"),
    "in-use-older": ("warn", "↺"),
    "digest-differs": ("bad", "≠"),
    "wrong-platform": ("bad", "⊘"),
    "corrupt": ("bad", "✗"),
    "failed": ("bad", "!"),
    "extra": ("off", "+"),
    "dangling": ("off", "∅"),
    "unreachable": ("off", "?"),
    "": ("off", "·"),
}
_STATES = ("verified", "drift", "failed", "unreachable")
_FIELDS = ("class", "wanted", "found", "why", "bytes", "manifest", "config", "index")
_RUNS_SHOWN = 60
_BAR, _GAP, _HEIGHT = 12, 4, 96  # of the chart, in its own units
#: What neither a page nor who reads it should meet: controls, and marks that turn the order of what follows.
_TURNS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160), *_TURNS), "\ufffd")


def render(report: Mapping[str, t.Any]) -> str:
    """Return the page of a report of version 1; to be written as UTF-8, it works from a disk and without a network."""
    style, script = _asset("report_page.css"), _asset("report_page.js")
    policy = f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; base-uri 'none'"
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Images of the fleet, {_text(report["made_at"])}</title>
<style>{style}</style>
</head>
<body>
<header>
<div class="title"><h1>Images of the fleet</h1>
<p class="soft">Made at <time>{_text(report["made_at"])}</time></p></div>
{_verdict(report["totals"])}
<div class="summary">
{_totals(report["totals"])}
{_history(report)}
</div>
<p class="soft">Root of the fleet: <span class="digest">{_text(report["root"] or "none")}</span></p>
</header>
<main>
<h2>Hosts and images</h2>
{_filter(report)}
{_legend(report)}
<noscript><p>This browser runs no scripts: the grid is whole; filter, details and findings are missing.</p></noscript>
{_grid(report)}
<h2>Findings</h2>
<p id="found" role="status" class="soft"></p>
<div class="scroll"><table id="findings">
<thead><tr><th scope="col">finding</th><th scope="col">host</th><th scope="col">image</th><th scope="col">why</th>
<th scope="col"><span class="word">details</span></th></tr></thead><tbody></tbody></table></div>
<section id="details" tabindex="-1" aria-live="polite" aria-label="details" hidden></section>
</main>
<script type="application/json" id="report">{_document(report)}</script>
<script>{script}</script>
</body>
</html>
"""
    return page.encode("utf-8", "replace").decode("utf-8")  # half a character of UTF-16 cannot be written to a file


def _verdict(totals: Mapping[str, t.Any]) -> str:
    """Return the one sentence that everybody reads."""
    hosts, good = totals["hosts"], totals["verified"]
    if not hosts:
        kind, told = "good", "There are no hosts"
    elif good == hosts:
        kind, told = "good", f"Verified: {'all ' if hosts > 1 else ''}{_hosts(hosts)}"
    else:
        kind = "bad" if totals["failed"] or totals["unreachable"] else "warn"
        told = f"Not verified: {hosts - good} of {_hosts(hosts)}"
    return f'<p class="verdict {kind}">{told}</p>'


def _hosts(count: int) -> str:
    return f"{count} host{'' if count == 1 else 's'}"


def _totals(totals: Mapping[str, t.Any]) -> str:
    """Return the numbers; a click on a state shows its hosts alone."""
    rows = [("", "", f"{totals['hosts']}", "hosts")]
    rows += [(state, _sign(state if totals[state] else "", mark=state), f"{totals[state]}", state) for state in _STATES]
    told = "".join(
        f'<li><button type="button" value="{value}"><strong>{sign} {count}</strong> {word}</button></li>'
        for value, sign, count, word in rows
    )
    held = f"<li><strong>{_size(totals['bytes'])}</strong> on all hosts</li>"
    return f'<ul id="totals" class="totals">{told}{held}</ul>'


def _history(report: Mapping[str, t.Any]) -> str:
    """Return the chart of the runs up to this one, with a table of the same; nothing if there was no other run."""
    earlier = [run for run in report["history"] if run["made_at"] != report["made_at"]]
    if not earlier:
        return ""
    runs = [*earlier, report][-_RUNS_SHOWN:]
    most = max(max(run["totals"]["hosts"] for run in runs), 1)
    bars = "".join(_bar(run["totals"], at=at, most=most, made_at=run["made_at"]) for at, run in enumerate(runs))
    heads = "".join(f'<th scope="col">{word}</th>' for word in ("made at", *_STATES, "root of the fleet"))
    rows = "".join(
        f'<tr><th scope="row">{_text(run["made_at"])}</th>'
        + "".join(f'<td class="number">{run["totals"][state]}</td>' for state in _STATES)
        + f'<td class="digest">{_text(run["root"])}</td></tr>'
        for run in reversed(runs)
    )
    width = len(runs) * (_BAR + _GAP)
    return f"""<figure class="runs">
<svg role="img" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}"
aria-label="Hosts by state in {len(runs)} runs, the latest at the right; the table below has the numbers">{bars}</svg>
<figcaption><details><summary>The last {len(runs)} runs</summary>
<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details></figcaption>
</figure>"""


def _bar(totals: Mapping[str, t.Any], *, at: int, most: int, made_at: str) -> str:
    parts, top = [], float(_HEIGHT)
    for state in _STATES:
        height = totals[state] / most * _HEIGHT
        top -= height
        place = f'x="{at * (_BAR + _GAP)}" y="{top:.2f}" width="{_BAR}" height="{height:.2f}"'
        parts.append(f'<rect class="{SIGNS[state][0]}" {place}/>' if height else "")
    told = ", ".join(f"{totals[state]} {state}" for state in _STATES)
    return f"<g><title>{_text(made_at)}: {told}</title>{''.join(parts)}</g>"


def _filter(report: Mapping[str, t.Any]) -> str:
    return f"""<form id="filter" class="filter" role="search">
<label>host <input id="by-host" type="search" autocomplete="off"></label>
<label>image <input id="by-image" type="search" autocomplete="off"></label>
<label>state of the host <select id="by-state">{_options(_STATES)}<option value="!verified">not verified</option>
</select></label>
<label>finding <select id="by-class">{_options([*_classes(report), *_surplus(report)])}</select></label>
<button type="reset">show all</button>
<span id="shown" role="status" class="soft"></span>
</form>"""


def _options(words: Iterable[str]) -> str:
    rows = (f'<option value="{_text(word)}">{_look(word)[1]} {_text(word)}</option>' for word in words)
    return f'<option value="">any</option>{"".join(rows)}'


def _legend(report: Mapping[str, t.Any]) -> str:
    """Return what the signs of the grid mean, each with how often it is there."""
    counts = Counter(row["class"] for host in report["hosts"] for row in (*host["cells"].values(), *host["extra"]))
    rows = (f"<li>{_sign(word)} {counts[word]} {_text(word)}</li>" for word in _in_order(counts))
    return f'<ul class="legend" aria-label="images on hosts">{"".join(rows)}</ul>'


def _grid(report: Mapping[str, t.Any]) -> str:
    columns = "".join(map(_column, report["images"]))
    rows = "\n".join(_row(host, report["images"], is_first=at == 0) for at, host in enumerate(report["hosts"]))
    return f"""<p class="soft">A click, or Enter, on a cell or a host shows its details; arrow keys move.</p>
<div class="scroll"><table id="grid" role="grid" aria-label="hosts by images">
<thead><tr><th scope="col">host</th><th scope="col">state</th><th scope="col">seconds</th><th scope="col">size</th>
<th scope="col">extra</th>{columns}</tr></thead>
<tbody>
{rows}
</tbody></table></div>"""


def _column(image: str) -> str:
    """Return the head of an image's column; where it is long, its registry is cut, and never its name and tag."""
    place, slash, name = image.rpartition("/")
    where = f'<span class="where">{_text(place + slash)}</span>'
    return f'<th scope="col" class="image" title="{_text(image)}"><span>{where}<span>{_text(name)}</span></span></th>'


def _row(host: Mapping[str, t.Any], images: Sequence[str], *, is_first: bool) -> str:
    held = sum(row["bytes"] for row in (*host["cells"].values(), *host["extra"]))
    elapsed = f"{host['elapsed']:.1f}" if host["elapsed"] else ""
    cells = "".join(_cell(host["cells"].get(image)) for image in images)
    return (
        f'<tr><th scope="row" tabindex="{0 if is_first else -1}">{_text(host["host"])}</th>'
        f'<td>{_sign(host["state"])} <span class="said">{_text(host["state"])}</span></td>'
        f'<td class="number">{elapsed}</td><td class="number">{_size(held) if held else ""}</td>'
        f'<td class="number">{len(host["extra"]) or ""}</td>{cells}</tr>'
    )


def _cell(row: Mapping[str, t.Any] | None) -> str:
    word = row["class"] if row else ""
    colour, mark = _look(word)
    return f'<td class="cell {colour}">{mark}<span class="word">{_text(word) or "not known"}</span></td>'


def _document(report: Mapping[str, t.Any]) -> str:
    """Return what the page's script reads: the report, each text of a cell once, so that 10,000 cells stay small."""
    places: dict[str, int] = {}
    hosts = []
    for host in report["hosts"]:
        found = (host["cells"].get(image) for image in report["images"])
        cells = [
            [row["bytes"] if name == "bytes" else places.setdefault(row[name], len(places)) for name in _FIELDS]
            if row
            else None
            for row in found
        ]
        names = ("host", "state", "engine", "platform", "root", "elapsed", "error", "extra")
        hosts.append({**{name: host[name] for name in names}, "cells": cells})
    value = {
        "images": report["images"],
        "hosts": hosts,
        "classes": _classes(report),
        "fields": _FIELDS,
        "texts": list(places),
        "signs": SIGNS,
    }
    text = json.dumps(_cleaned(value), separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _classes(report: Mapping[str, t.Any]) -> list[str]:
    """Return the classes of all cells, in the order of their signs."""
    return _in_order(row["class"] for host in report["hosts"] for row in host["cells"].values())


def _surplus(report: Mapping[str, t.Any]) -> list[str]:
    return _in_order(row["class"] for host in report["hosts"] for row in host["extra"])


def _in_order(words: Iterable[str]) -> list[str]:
    order = list(SIGNS)
    return sorted(set(words), key=lambda word: (order.index(word) if word in SIGNS else len(order), word))


def _look(word: str) -> tuple[str, str]:
    return SIGNS.get(word, SIGNS[""])


def _sign(word: str, *, mark: str = "") -> str:
    """Return the sign of a word, or of ``mark`` in the colour of the word."""
    return f'<span class="sign {_look(word)[0]}" aria-hidden="true">{_look(mark or word)[1]}</span>'


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return f"{count:.1f} TB"


def _cleaned(value: t.Any) -> t.Any:
    """Return a document whose texts have nothing that the page does not have."""
    if isinstance(value, str):
        return value.translate(_CONTROLS)
    if isinstance(value, dict):
        return {key: _cleaned(part) for key, part in value.items()}
    return [_cleaned(part) for part in value] if isinstance(value, (list, tuple)) else value


def _text(value: object) -> str:
    return escape(str(value).translate(_CONTROLS))


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _source(content: str) -> str:
    """Return the source expression of a policy that allows this inline content, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
