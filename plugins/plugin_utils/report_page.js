"use strict";
// Everything shown comes from the document in #report and gets into the page as text, never as markup.
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const find = (id) => document.getElementById(id);
  const grid = find("grid"), details = find("details"), findings = find("findings").tBodies[0];
  const rows = [...grid.tBodies[0].rows], heads = [...grid.tHead.rows[0].cells];
  const FIRST = heads.length - report.images.length, SHOWN = 200;
  const cellOf = (host, image) => {
    const row = report.hosts[host].cells[image];
    return row && Object.fromEntries(report.fields.map((name, at) => [name, name === "bytes" ? row[at] : report.texts[row[at]]]));
  };
  const make = (tag, text, kind) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const size = (bytes) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let at = 0;
    for (; bytes >= 1000 && at < units.length - 1; at += 1) bytes /= 1000;
    return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
  };
  const sign = (word) => {
    const [kind, mark] = report.signs[word] || report.signs[""];
    const made = make("span", mark, `sign ${kind}`);
    made.setAttribute("aria-hidden", "true");
    return made;
  };

  let selected = null, stop = rows.length ? rows[0].cells[0] : null;
  const stopAt = (cell) => { stop.tabIndex = -1; stop = cell; stop.tabIndex = 0; };  // the tab key knows one cell only
  const show = (title, state, pairs) => {
    const heading = make("h2", ` ${title}: ${state}`);
    heading.prepend(sign(state));
    const list = document.createElement("dl");
    for (const [name, value, kind] of pairs) {
      if (value !== "" && value !== null && value !== undefined) list.append(make("dt", name), make("dd", value, kind));
    }
    const shut = make("button", "close");
    shut.addEventListener("click", close);
    details.replaceChildren(shut, heading, list);
    details.hidden = false;
    details.scrollTop = 0;
  };
  const close = () => {
    details.hidden = true;
    if (selected) selected.removeAttribute("aria-selected");
    if (stop) stop.focus({ preventScroll: true });
  };
  const showHost = (at) => {
    const host = report.hosts[at], error = host.error || {};
    const pairs = [
      ["error", error.code], ["what", error.msg], ["what to do", error.fix], ["engine", host.engine],
      ["platform", host.platform], ["took", host.elapsed ? `${host.elapsed} s` : ""], ["root", host.root, "digest"],
    ];
    for (const extra of host.extra) {
      const users = extra.used_by.length ? `, used by ${extra.used_by.join(", ")}` : "";
      pairs.push([extra.class, `${extra.name} ${extra.digest} (${size(extra.bytes)}${users})`]);
    }
    show(host.host, host.state, pairs);
  };
  const showCell = (at, image) => {
    const host = report.hosts[at], cell = cellOf(at, image);
    if (!cell) return showHost(at);
    show(`${report.images[image]} on ${host.host}`, cell.class, [
      ["why", cell.why], ["wanted", cell.wanted, "digest"], ["found", cell.found, "digest"], ["size", cell.bytes ? size(cell.bytes) : ""],
      ["index", cell.index, "digest"], ["manifest", cell.manifest, "digest"], ["config", cell.config, "digest"],
      ["platform", host.platform], ["engine", host.engine],
    ]);
  };
  const select = (cell) => {
    const row = cell.parentElement.sectionRowIndex, image = cell.cellIndex - FIRST;
    if (selected) selected.removeAttribute("aria-selected");
    selected = cell;
    cell.setAttribute("aria-selected", "true");
    stopAt(cell);
    if (image >= 0) showCell(row, image); else showHost(row);
  };

  const step = (cell, down, right) => {
    let row = cell.parentElement, next = cell;
    if (down) {
      do row = rows[rows.indexOf(row) + down]; while (row && row.hidden);
      return row && row.cells[cell.cellIndex];
    }
    do next = right > 0 ? next.nextElementSibling : next.previousElementSibling; while (next && next.hidden);
    return next;
  };
  const MOVES = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
  grid.tBodies[0].addEventListener("mouseover", (event) => {
    const cell = event.target.closest("td.cell");
    if (cell && !cell.title) {
      const host = report.hosts[cell.parentElement.sectionRowIndex].host, image = report.images[cell.cellIndex - FIRST];
      cell.title = `${image} on ${host}: ${cell.lastChild.textContent}`;
    }
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !details.hidden) close(); });
  grid.tBodies[0].addEventListener("click", (event) => {
    const cell = event.target.closest("td, th");
    if (cell) select(cell);
  });
  grid.tBodies[0].addEventListener("keydown", (event) => {
    const cell = event.target.closest("td, th"), move = MOVES[event.key];
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(cell); }
    if (!move) return;
    event.preventDefault();
    const next = step(cell, ...move);
    if (next) { stopAt(next); next.focus(); }
  });
  findings.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const [row, image] = button.value.split(" ").map(Number);
    select(rows[row].cells[FIRST + image]);
    details.focus({ preventScroll: true });
  });

  const finding = (row, image, where, word, why) => {
    const made = document.createElement("tr"), first = document.createElement("td"), button = make("button", "show");
    button.value = `${row} ${image}`;
    button.setAttribute("aria-label", `show ${where.join(", ")}`);
    first.append(sign(word), ` ${word}`);
    made.append(first, ...where.map((text) => make("td", text)), make("td", why), document.createElement("td"));
    made.lastChild.append(button);
    return made;
  };
  const foundOn = (at, columns, kind) => {
    const host = report.hosts[at], found = [];
    if (host.error && (!kind || kind === host.state)) {
      found.push([at, -FIRST, [host.host, ""], host.state, [host.error.msg, host.error.fix].filter(Boolean).join(" \u2014 ")]);
    }
    host.cells.forEach((row, image) => {
      const word = row && report.texts[row[0]];
      if (row && columns[image] && word !== "verified" && (!kind || kind === word)) {
        found.push([at, image, [host.host, report.images[image]], word, cellOf(at, image).why]);
      }
    });
    for (const extra of host.extra) {
      if (kind ? kind === extra.class : extra.drift !== false) {
        const users = extra.used_by.length ? `used by ${extra.used_by.join(", ")}` : "not used";
        found.push([at, -FIRST, [host.host, extra.name || extra.digest], extra.class, `${size(extra.bytes)}, ${users}`]);
      }
    }
    return found;
  };

  const apply = () => {
    const host = find("by-host").value.trim().toLowerCase(), image = find("by-image").value.trim().toLowerCase();
    const state = find("by-state").value, kind = find("by-class").value;
    const has = (at, column) => { const row = report.hosts[at].cells[column]; return row && report.texts[row[0]] === kind; };
    const isIn = report.images.map((name) => name.toLowerCase().includes(image));
    const kept = report.hosts.map((one, at) => one.host.toLowerCase().includes(host) && (!state || (state === "!verified" ? one.state !== "verified" : one.state === state))
      && (!kind || one.state === kind || one.extra.some((extra) => extra.class === kind) || one.cells.some((row, column) => isIn[column] && has(at, column))));
    const columns = report.images.map((name, column) => isIn[column]
      && (!kind || !report.classes.includes(kind) || report.hosts.some((one, at) => kept[at] && has(at, column))));
    rows.forEach((row, at) => { row.hidden = !kept[at]; });
    columns.forEach((shown, column) => {
      heads[FIRST + column].hidden = !shown;
      for (const row of rows) row.cells[FIRST + column].hidden = !shown;
    });
    const found = report.hosts.flatMap((one, at) => (kept[at] ? foundOn(at, columns, kind) : []));
    findings.replaceChildren(...found.slice(0, SHOWN).map((row) => finding(...row)));
    find("shown").textContent = `${kept.filter(Boolean).length} of ${kept.length} hosts, ${columns.filter(Boolean).length} of ${columns.length} images`;
    const count = `${found.length} finding${found.length === 1 ? "" : "s"}`;
    find("found").textContent = found.length > SHOWN
      ? `${count}; the first ${SHOWN} are listed, the filter narrows them down` : found.length ? count : "No findings in what is shown.";
    const start = rows.find((row) => !row.hidden);
    if (start && (stop.hidden || stop.parentElement.hidden)) stopAt(start.cells[0]);
  };
  find("totals").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    find("by-state").value = button.value;
    apply();
  });
  find("filter").addEventListener("input", apply);
  find("filter").addEventListener("reset", () => setTimeout(apply));
  find("filter").addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
