"use strict";
// Any table: choose, sort, look, open. What is chosen stands in the address.

const facetsOpen = new Map(); // column to whether its values show; as the person left it
const PILLS = new Set(["status", "outcome", "reject_reason", "drop_reason", "verdict", "kind"]);

function columnOf(about, name, words) {
  const column = about.columns.find((one) => one.name === name) ?? { name, type: "string" };
  const base = { name, title: name.replaceAll("_", " "), meaning: column.meaning, isUnsorted: ["text", "list"].includes(column.kind) };
  if (PILLS.has(name)) return { ...base, width: name === "status" || name === "outcome" ? "7rem" : "9rem", cell: (value) => pill(value) };
  if (name === "set_id") return { ...base, width: "7.6rem", cell: (value) => h("span.mono", null, short(value)) };
  if (/_id$|^cluster$|^id$/.test(name)) return { ...base, width: "7.6rem", cell: (value) => h("span.mono", null, oneLine(value, 12)) };
  if (column.type === "bool") return { ...base, width: "5rem", cell: (value) => (value === null ? "–" : value ? "yes" : "no") };
  if (column.type === "int" || column.type === "float") return { ...base, width: "5.6rem", isNumber: true,
    cell: (value) => (column.type === "int" ? count(value) : figure(value)) };
  if (column.type === "list") return { ...base, width: "8rem", cell: listCell };
  if ((about.words ?? []).includes(name) || ["messages", "struct"].includes(column.type)) return { ...base, width: "minmax(24rem,1fr)",
    cell: (value) => (value === null ? h("span.soft", null, "null") : oneLine(value, 220, words)) };
  return { ...base, width: name === "mode" || name === "split" ? "6.4rem" : "8.6rem",
    cell: (value) => (value === null ? h("span.soft", null, "–") : oneLine(value, 60)) };
}

function listCell(value) {
  if (!Array.isArray(value)) return value === null ? h("span.soft", null, "–") : oneLine(value, 60);
  const top = highest(value);
  return value.slice(0, 12).flatMap((one, place) => [place ? " · " : "",
    typeof one === "number" && one === top ? h("b", null, figure(one)) : shown(figure(one),
    20)]).concat(value.length > 12 ? [` … ${value.length}`] : []);
}

function aboutTable(name) {
  const tables = state.opened?.tables ?? {};
  const about = Object.hasOwn(tables, name) && tables[name];
  if (!about) throw new Refused(`There is no table ${name} here. These are: ${Object.keys(tables).join(", ") || "none"}.`, 404);
  return about;
}

// What fits on a telephone: the id, what became of the row, and a text.
function fewColumns(about) {
  const of = (isOne) => about.default_columns.find(isOne);
  return [about.id, of((name) => PILLS.has(name) && name !== "status"),
    about.default_columns.findLast((name) => (about.words ?? []).includes(name))].filter(Boolean);
}

async function rowsView(route, main) {
  const table = route.path[1] ?? Object.keys(state.opened.tables)[0];
  const about = aboutTable(table);
  let [choice, grid, expression, total, running, peeking] = [null, null, "", null, null, null];
  const words = h("input", { type: "search", id: "words", placeholder: "words in any text", "aria-label": "words to seek", autocomplete: "off",
    spellcheck: "false" });
  const within = select([["any", "any text"], ...(about.words ?? []).map((name) => [name, name])], "any", (name) => change({ in: name }),
    "where to seek the words");
  const [counted, chipRow, side, list, peek] = [h("p", { id: "count", role: "status" }), h("p.chips"), h("div.facets"), h("div.list"),
    h("aside.peek", { hidden: true, "aria-label": "the row that is chosen" })];
  const panel = h("details.side", { open: innerWidth > 900 }, h("summary", null, "Filters"), side);
  put(main, h("div.browse", null, h("h1.unseen", null, `Rows of ${table}`),
    h("nav.tables", { "aria-label": "Tables" },
      Object.entries(state.opened.tables).map(([name, one]) => h("a",
      { href: address(["rows", name]), "aria-current": name === table ? "page" : null }, shown(one.label ?? name), " ",
      h("span", null, count(one.rows))))),
    h("div.bar", null, h("span.seek", null, words, within), keyed("f", "filter", () => filterDialog(about, choice, change)),
      keyed("c", "columns", () => columnsDialog(about, shownColumns(), change)), keyed("x", "export", () => exportDialog(choice, total, expression)),
      counted),
    chipRow, h("div.body", null, panel, list, peek)));
  const shownColumns = () => choice.columns ?? (innerWidth < 620 ? fewColumns(about) : about.default_columns);
  const params = (more) => ({ ...paramsOf(choice), ...more });
  const change = (patch, instead = false) => {
    clearTimeout(later); // a place in the old choice is none in the new one
    const next = address(["rows", table], { ...paramsOf({ ...choice, ...patch }), peek: peeking ? "1" : "" });
    if (instead) goInstead(next); else go(next);
  };
  let later, typed;
  words.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(() => change({ words: words.value.trim() }, true), 250); });
  words.addEventListener("keydown", (event) => { if (event.key === "Enter") { clearTimeout(typed); change({ words: words.value.trim() }, true);
    grid?.node.focus(); grid?.select(0); } });

  function run(next, at) {
    running?.abort();
    running = new AbortController();
    grid?.close();
    [choice, total] = [next, null];
    if (document.activeElement !== words) words.value = choice.words;
    within.value = choice.in;
    put(chipRow, chips(choice, change));
    const { signal } = running;
    const asking = [about.id, ...shownColumns()].filter((name, place, all) => all.indexOf(name) === place);
    const isAll = { known: false };
    const fetchPage = async (page, pageSignal) => {
      const found = await source.rows(choice, asking, page * PAGE, PAGE, AbortSignal.any([signal, pageSignal]));
      took(found, page, isAll);
      return found.rows;
    };
    grid = virtualTable({
      label: `rows of ${table}`, columns: shownColumns().map((name, place) => linked(columnOf(about, name, choice.words), place)), fetchPage,
        rowId: (row) => row[about.id],
      sort: { column: choice.sort, desc: choice.desc },
      onSort: (name) => change(choice.sort !== name ? { sort: name, desc: false } : choice.desc ? { sort: "", desc: false } : { desc: true }),
      onSelect: selected, onOpen: (index, row) => { if (row) open(index, row); }, failed: (fault) => put(counted, h("span.bad", null, fault.message)),
    });
    put(list, grid.node);
    put(counted, "asking…");
    first(fetchPage, signal, at, isAll);
    askFacets(signal);
  }

  async function first(fetchPage, signal, at, isAll) {
    try {
      const page = Math.floor((at ?? 0) / PAGE);
      grid.seed(page, await fetchPage(page, signal));
      if (at !== undefined) grid.select(at, true);
      if (!isAll.known) countOn(signal, isAll);
    } catch (fault) {
      if (fault.name !== "AbortError") { put(list, sorry(fault, () => route_())); put(counted); }
    }
  }
  const route_ = () => run(choice);

  async function countOn(signal, isAll) {
    try {
      const found = await source.count(choice, signal);
      isAll.known = true;
      total = found.total;
      grid.setTotal(total);
      sayCount();
    } catch (fault) { if (fault.name !== "AbortError") put(counted, h("span.bad", null, fault.message)); }
  }

  function took(found, page, isAll) {
    if (found.expression) expression = found.expression;
    if (isAll.known && total !== null) return;
    if (found.total !== null) {
      [isAll.known, total] = [true, found.total];
      grid.setTotal(total);
      sayCount();
    } else {
      const atLeast = page * PAGE + found.rows.length + (found.rows.length === PAGE ? PAGE : 0);
      grid.setTotal(Math.max(atLeast, total ?? 0), false);
      put(counted, `${count(page * PAGE + found.rows.length)} or more, counting…`);
    }
  }

  function sayCount() {
    put(counted, h("b", null, count(total)), ` of ${count(about.rows)}`);
    if (!total) put(list, h("div.empty", null, h("p", null, "No row is like that."),
      button("Clear the choice", () => change({ where: [], words: "", in: "any" }))));
  }

  async function askFacets(signal) {
    try {
      const found = await source.facets(choice, about.facets ?? [], signal);
      put(side, facetPanel(choice, found, change, facetsOpen));
    } catch (fault) { if (fault.name !== "AbortError") put(side, h("p.bad", null, fault.message)); }
  }

  function linked(column, place) {
    if (place) return column;
    return { ...column, cell: (value, row, index) => h("a.open", { href: rowAddress(table, row[about.id], choice, index), tabindex: -1 },
      column.cell(value, row)) };
  }

  function open(index, row) {
    if (viewOf(table)) go(rowAddress(table, row[about.id], choice, index));
    else { grid.select(index, true); show(row[about.id]); }
  }

  function selected(index, row) {
    clearTimeout(later);
    later = setTimeout(() => {
      history.replaceState(null, "", address(["rows", table], params({ at: index, peek: peeking ? "1" : "" })));
      if (peeking && row) show(row[about.id]);
    }, peeking ? 60 : 250);
  }

  async function show(id) {
    peeking = id;
    peek.hidden = false;
    try {
      const parts = await peekParts(table, id, running.signal, choice);
      if (peeking === id) put(peek, h("header", null, h("h2", null, shown(about.label ?? table), " ", idChip(id)), keyed("Esc", "close", hide)),
        parts);
    } catch (fault) { if (fault.name !== "AbortError") put(peek, sorry(fault)); }
  }

  function hide() {
    peeking = null;
    peek.hidden = true;
    history.replaceState(null, "", address(["rows", table], params({ at: Math.max(0, grid.at()) })));
  }

  const move = (by) => grid.select(grid.at() < 0 ? 0 : grid.at() + by);
  const here_ = () => grid.rowAt(Math.max(0, grid.at()));
  const start = (now) => {
    run(choiceOf(table, now), now.at === undefined ? undefined : Number(now.at) || 0);
    if (now.row) show(now.row);
    if (now.seek) requestAnimationFrame(() => words.focus()); else if (document.activeElement !== words) grid.node.focus({ preventScroll: true });
  };
  start(route.params);
  return {
    title: table,
    keys: [
      ["j ↓", "next row", () => move(1)], ["k ↑", "row before", () => move(-1)], ["PageDown", "a page on", () => move(grid.perPage())],
        ["PageUp", "a page back", () => move(-grid.perPage())],
      ["Home", "first row", () => grid.select(0)], ["End", "last row", () => grid.select(Infinity)],
      ["Enter", "open the row", () => { if (here_()) open(Math.max(0, grid.at()), here_()); }],
      ["Space p", "look at the row beside the list", () => { if (peeking) hide();
        else if (here_()) { if (grid.at() < 0) grid.select(0, true); show(here_()[about.id]); } }],
      ["/", "seek words", () => words.focus()], ["f", "filter by any column", () => filterDialog(about, choice, change)],
        ["c", "choose columns", () => columnsDialog(about, shownColumns(), change)],
      ["x", "export, and the polars expression", () => exportDialog(choice, total, expression)],
      ["u", "clear the choice", () => change({ where: [], words: "", in: "any" })],
        ["Esc", "close what lies beside the list", () => (peeking ? hide() : false)],
    ],
    update(next) {
      if (next.path[1] !== table && next.path[1] !== undefined) return false;
      const wanted = choiceOf(table, next.params);
      if (JSON.stringify(wanted) !== JSON.stringify(choice)) start(next.params);
      else if (next.params.row) show(next.params.row);
      return true;
    },
    leave() { running?.abort(); grid?.close(); clearTimeout(later); clearTimeout(typed); },
  };
}

async function peekParts(table, id, signal, choice) {
  if (viewOf(table) === "trajectory") {
    const found = await source.trajectory(id, signal);
    return [h("p.actions", null, h("a.main", { href: rowAddress(table, id, choice, here().params.at) }, "Open it"),
      found.set ? setLink(found.row.set_id) : null), whyCard(found), h("h3", null, "What the judge wrote"), textPart(found, choice.words).node];
  }
  if (table === "sets") {
    const found = await source.set(id, signal);
    return [h("p.actions", null, h("a.main", { href: rowAddress(table, id, choice, here().params.at) }, "Open it")), h("h3", null, "Question"),
      conversation(found.query ?? []), responseCards(found.responses)];
  }
  const { row } = await source.row(table, id, signal);
  if (table === "items") return itemParts(row);
  return h("dl.whole", null, Object.entries(row).filter(([name]) => !name.startsWith("_")).map(([name, value]) => [h("dt", null, shown(name)),
    h("dd", null, name === "set_id" && value && state.opened.tables.sets ? h("a", { href: address(["set", value]) },
    shown(value)) : name === "trajectory_id" && value ? h("a", { href: address(["trajectory", value]) }, shown(value)) : valueBlock(value))]));
}

// An item of a benchmark: its question, and its responses with the mean score that each was given.
function itemParts(row) {
  const responses = row.responses.map((text, index) => ({ index, text, best: row.right?.includes(index), reward: row.votes?.[index],
    rewardWord: "mean score", model: row.names?.[index] }));
  const { votes, right, query, names, responses: _, ...rest } = row;
  return [h("p.actions", null, h("a.main", { href: rowsAddress("judgements", [["item_id", "is", row.item_id]]) }, "Its judgements")),
    conversation(query), responseCards(responses),
    factList(Object.entries(rest).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "number" ? figure(value) : value]))];
}

// The row before or after, in the choice that a row was found in; null where there is none.
async function neighbour(table, params, by) {
  if (params.at === undefined) return null;
  const at = Number(params.at) + by;
  if (!(at >= 0)) return null;
  const choice = choiceOf(table, params);
  const { id } = aboutTable(table);
  const { rows } = await source.rows(choice, [id], at, 1);
  return rows.length ? rowAddress(table, rows[0][id], choice, at) : null;
}

async function step(table, params, by) {
  try {
    const to = await neighbour(table, params, by);
    if (to) goInstead(to); else notice(by > 0 ? "This is the last row of the choice." : "This is the first row of the choice.");
  } catch (fault) { notice(fault.message); }
}

function backToRows(table, params) {
  go(address(["rows", table], { ...paramsOf(choiceOf(table, params)), at: params.at }));
}
