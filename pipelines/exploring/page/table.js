"use strict";
// A table of any length: only the rows in sight are elements, and only their pages are asked for.
// Browsers cap an element's height, so a long table scrolls over a shorter one: small steps move row by row, a far one
// moves to its share of the whole.

const ROW = 34; // height of a row; as --row in look.css
const HEAD = 36;
const TALLEST = 8e6;
const PAGE = 100;
const KEPT_PAGES = 80;

// columns: [{name, title, width, cell(value, row) -> nodes, isNumber}]. fetchPage(page, signal) -> rows.
function virtualTable({ label, columns, fetchPage, rowId, sort, onSort, onSelect, onOpen, failed }) {
  const pages = new Map(); // page to rows, the latest used last
  const waiting = new Map(); // page to AbortController
  const rows = new Map(); // index to element
  let [total, top, last, at, drawn, asking, settled] = [0, 0, 0, -1, 0, 0, 0];
  const template = columns.map((column) => column.width).join(" ");
  const least = columns.reduce((sum, column) => sum + Number(/([\d.]+)rem/.exec(column.width)[1]), 0) + 1;
  const headCells = columns.map((column) => {
    const sorted = sort.column === column.name;
    return h(`div.${column.isNumber ? "number" : "left"}`, { role: "columnheader",
      "aria-sort": sorted ? (sort.desc ? "descending" : "ascending") : null },
      h("button", { type: "button", title: column.meaning ?? column.title, disabled: column.isUnsorted, onclick: () => onSort(column.name),
        tabindex: -1 },
        shown(column.title), sorted ? (sort.desc ? " ↓" : " ↑") : ""));
  });
  const layer = h("div.layer", { role: "rowgroup" });
  const space = h("div.space", { role: "presentation", style: { "min-width": `${least}rem` } }, layer);
  const head = h("div.head", { role: "row", style: { "min-width": `${least}rem`, "grid-template-columns": template } }, headCells);
  const node = h("div.rows", { role: "grid", tabindex: 0, "aria-label": label, "data-home": true, onscroll: scrolled }, head, space);

  const seen = () => Math.max(ROW, node.clientHeight - HEAD);
  const whole = () => total * ROW;
  const lowest = () => Math.max(0, whole() - seen());
  const reach = () => Math.max(1, node.scrollHeight - node.clientHeight);
  const isShort = () => whole() <= TALLEST;

  function scrolled() {
    const now = node.scrollTop;
    const step = now - last;
    last = now;
    if (isShort()) top = now;
    else if (now <= 0) top = 0;
    else if (now >= reach() - 1) top = lowest();
    else if (Math.abs(step) <= 2 * seen()) top = Math.min(lowest(), Math.max(0, top + step));
    else top = (now / reach()) * lowest();
    redraw();
    clearTimeout(settled);
    if (!isShort()) settled = setTimeout(() => moveTo(top), 200);
  }

  function moveTo(place) {
    top = Math.min(lowest(), Math.max(0, place));
    node.scrollTop = isShort() ? top : (top / Math.max(1, lowest())) * reach();
    last = node.scrollTop;
    redraw();
  }

  function redraw() {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(draw);
  }

  function range() {
    const first = Math.floor(top / ROW);
    return [first, Math.min(total, first + Math.ceil(seen() / ROW) + 1)];
  }

  function draw() {
    const [first, end] = range();
    for (const [index, element] of rows) if (index < first || index >= end) { element.remove(); rows.delete(index); }
    for (let index = first; index < end; index += 1) {
      if (!rows.has(index)) { rows.set(index, blank(index)); layer.append(rows.get(index)); }
      const element = rows.get(index);
      element.style.transform = `translateY(${index * ROW - top}px)`;
      const row = pages.get(Math.floor(index / PAGE))?.[index % PAGE];
      if (row && element.dataset.filled === undefined) fill(element, row, index);
      element.setAttribute("aria-selected", String(index === at));
    }
    for (let page = Math.floor(first / PAGE); page * PAGE < end; page += 1) {
      const known = pages.get(page);
      if (known) { pages.delete(page); pages.set(page, known); }
    }
    clearTimeout(asking);
    asking = setTimeout(ask, pages.size ? 50 : 0);
  }

  function blank(index) {
    return h("div.row", { role: "row", id: `row-${index}`, "aria-rowindex": index + 2, style: { "grid-template-columns": template },
      onclick: (event) => { select(index); if (event.target.closest("a")) return; onOpen(index, rowAt(index), event); } });
  }

  function fill(element, row, index) {
    element.dataset.filled = "";
    element.dataset.id = rowId(row);
    put(element, columns.map((column) => h(`div.${column.isNumber ? "number" : "left"}`, { role: "gridcell" },
      column.cell(row[column.name] ?? null, row, index))));
  }

  function ask() {
    const [first, end] = range();
    const wanted = new Set();
    for (let page = Math.floor(first / PAGE); page * PAGE < end; page += 1) wanted.add(page);
    for (const [page, control] of waiting) if (!wanted.has(page)) { control.abort(); waiting.delete(page); }
    for (const page of wanted) if (!pages.has(page) && !waiting.has(page)) load(page);
  }

  async function load(page) {
    const control = new AbortController();
    waiting.set(page, control);
    try {
      pages.set(page, await fetchPage(page, control.signal));
      for (const old of pages.keys()) { if (pages.size <= KEPT_PAGES) break; pages.delete(old); }
      redraw();
    } catch (fault) {
      if (fault.name !== "AbortError") failed(fault);
    } finally {
      if (waiting.get(page) === control) waiting.delete(page);
    }
  }

  function rowAt(index) {
    return pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  function select(index, quiet = false) {
    if (!total) return;
    at = Math.min(total - 1, Math.max(0, index));
    if (at * ROW < top) moveTo(at * ROW);
    else if ((at + 1) * ROW > top + seen()) moveTo((at + 1) * ROW - seen());
    node.setAttribute("aria-activedescendant", `row-${at}`);
    redraw();
    if (!quiet) onSelect(at, rowAt(at));
  }

  function setTotal(known, isAll = true) {
    total = known;
    space.style.height = `${Math.min(TALLEST, whole())}px`;
    node.setAttribute("aria-rowcount", isAll ? total + 1 : -1);
    if (top > lowest()) moveTo(lowest()); else redraw();
  }

  const watcher = new ResizeObserver(redraw);
  watcher.observe(node);
  return {
    node, setTotal, select, rowAt,
    at: () => at,
    perPage: () => Math.max(1, Math.floor(seen() / ROW) - 1),
    seed: (page, known) => { pages.set(page, known); redraw(); },
    close: () => { watcher.disconnect(); for (const control of waiting.values()) control.abort(); },
  };
}
