"use strict";
// Choosing rows: values at the side with their counts, chips, a form for any column, columns, and taking the choice along.

const OPS = {
  is: "is", not: "is not", in: "is one of", lt: "<", le: "≤", gt: ">", ge: "≥", null: "is null", not_null: "is not null", has: "holds",
    contains: "contains",
};
const OPS_OF_TYPE = { int: ["is", "not", "lt", "le", "gt", "ge"], float: ["lt", "le", "gt", "ge", "is"], bool: ["is"], list: ["has"],
  string: ["is", "not", "contains"] };

function valueWords(value) {
  if (value === null) return "null";
  if (value === true || value === false) return value ? "yes" : "no";
  return Array.isArray(value) ? value.map(valueWords).join(", ") : String(value).replaceAll("_", " ");
}

// Return the values of a column that are chosen; null stands for null.
function chosenValues(where, column) {
  return where.filter(([name]) => name === column).flatMap(([, op,
    value]) => (op === "is" ? [value] : op === "in" ? value : op === "null" ? [null] : []));
}

// Return the conditions with a value of a column added, or taken away.
function toggled(where, column, value) {
  const rest = where.filter(([name, op]) => name !== column || !["is", "in", "null"].includes(op));
  const now = chosenValues(where, column);
  const next = now.includes(value) ? now.filter((one) => one !== value) : value === null ? [null] : [...now.filter((one) => one !== null), value];
  if (!next.length) return rest;
  return [...rest, next[0] === null ? [column, "null", null] : next.length === 1 ? [column, "is", next[0]] : [column, "in", next]];
}

function facetPanel(choice, facets, change, open) {
  return Object.entries(facets).filter(([, values]) => values.length).map(([column, values]) => {
    const chosen = chosenValues(choice.where, column);
    const most = Math.max(...values.map(([, number]) => number), 1);
    const node = h("details.facet", { open: open.get(column) !== false, ontoggle: () => open.set(column, node.open) },
      h("summary", null, shown(column.replaceAll("_", " ")), chosen.length ? h("span.pill.good", null, `${chosen.length} chosen`) : null),
      h("ul", null, values.map(([value, number]) => h("li", null, h("button", {
        type: "button", "aria-pressed": String(chosen.includes(value)), "data-facet": `${column}=${value}`,
          onclick: () => change({ where: toggled(choice.where, column, value) }),
      }, h("i", { style: { width: percent(number / most, 1) } }), h("span", null, shown(valueWords(value), 80)), h("b", null, count(number)))))));
    return node;
  });
}

function chips(choice, change) {
  const words = choice.words ? [h("span.chip", null, "words ", h("b", null, shown(choice.words, 60)),
    choice.in === "any" ? " in any text" : [" in ", shown(choice.in)], remove("the words", () => change({ words: "", in: "any" })))] : [];
  const filters = choice.where.map(([column, op, value], place) => h("span.chip", null, shown(column.replaceAll("_", " ")), ` ${OPS[op] ?? op} `,
    ["null", "not_null"].includes(op) ? null : h("b", null, shown(valueWords(value), 80)),
      remove(column, () => change({ where: choice.where.filter((_, other) => other !== place) }))));
  const all = [...words, ...filters];
  return [...all, asPhrase(choice, change), all.length > 1 ? button("clear all", () => change({ where: [], words: "", in: "any" }), { class: "plain" }) : null];
}

// Several words are found wherever they stand; most people mean them as they wrote them.
function asPhrase({ words }, change) {
  return words.includes('"') || wordsIn(words).length < 2 ? null : button(["only together: \"", shown(words, 60), "\""], () => change({ words: `"${words}"` }), { class: "plain phrase" });
}

function remove(what, act) {
  return button("×", act, { class: "remove", "aria-label": `remove ${what}` });
}

// A form for a condition on any column.
function filterDialog(about, choice, change) {
  const usable = about.columns.filter((column) => !["messages", "struct"].includes(column.type));
  const of = (name) => usable.find((column) => column.name === name);
  const [op, value, fields] = [h("span"), h("span"), h("p.fields")];
  let chosen = usable[0];
  const column = select(usable.map((one) => [one.name, one.name]), chosen.name, (name) => { chosen = of(name); draw(); }, "column");
  const draw = () => {
    const ops = [...(OPS_OF_TYPE[chosen.type] ?? ["contains"]), "null", "not_null"];
    put(op, h("select", { "aria-label": "condition", name: "op",
      onchange: (event) => { value.hidden = ["null", "not_null"].includes(event.target.value); } },
      ops.map((one) => h("option", { value: one }, OPS[one]))));
    const choices = chosen.type === "bool" ? [true, false] : chosen.choices;
    put(value, choices ? h("select", { "aria-label": "value", name: "value" },
      choices.map((one) => h("option", { value: JSON.stringify(one) }, shown(valueWords(one), 80)))) : h("input",
      { "aria-label": "value", name: "value", size: 18, autocomplete: "off" }));
    value.hidden = false;
    put(meaning, shown(chosen.meaning ?? ""));
  };
  const meaning = h("p.soft");
  fields.append(column, op, value);
  const add = () => {
    const given = value.firstChild.value;
    const isNumber = ["int", "float"].includes(chosen.type) || (chosen.type === "list" && given.trim() !== "" && !Number.isNaN(Number(given)));
    if (isNumber && !value.hidden && (given.trim() === "" || Number.isNaN(Number(given)))) return notice(`${chosen.name} is a number: give one`);
    const parsed = value.hidden ? null : value.firstChild.matches("select") ? JSON.parse(given) : isNumber ? Number(given) : given;
    $("dialog").close();
    change({ where: [...choice.where, [chosen.name, op.firstChild.value, parsed]] });
  };
  dialog("Filter by any column", fields, meaning, h("p.actions", null, button("Add the filter", add, { class: "main" })));
  fields.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); add(); } });
  draw();
  column.focus();
}

function columnsDialog(about, columns, change) {
  const boxes = about.columns.map((column) => h("label.choice", { title: column.meaning ?? "" },
    h("input", { type: "checkbox", value: column.name, checked: columns.includes(column.name) }), " ", shown(column.name),
    h("span.soft", null, " ", shown(column.meaning ?? "", 110))));
  const apply = () => {
    const wanted = boxes.map((box) => box.firstChild).filter((box) => box.checked).map((box) => box.value);
    const kept = [...columns.filter((name) => wanted.includes(name)), ...wanted.filter((name) => !columns.includes(name))];
    $("dialog").close();
    change({ columns: kept.length && kept.join() !== about.default_columns.join() ? kept : null });
  };
  dialog("Columns", h("div.boxes", null, boxes), h("p.actions", null, button("Show these", apply, { class: "main" }),
    button("As at first", () => { $("dialog").close(); change({ columns: null }); })));
}

function saveLines(name, rows) {
  const link = h("a", { href: URL.createObjectURL(new Blob(rows.map((row) => `${JSON.stringify(row)}\n`), { type: "application/x-ndjson" })),
    download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function exportDialog(choice, total, expression) {
  const way = source.exported
    ? ["parquet", "jsonl"].map((format) => h("a.main", { href: source.exported(choice, choice.columns, format), download: "" },
      format === "parquet" ? "Parquet" : "JSONL"))
    : button("JSONL", () => saveLines(`${choice.table}.jsonl`, source.whole(choice)), { class: "main" });
  dialog("Take this choice along", h("p", null, total === null ? "The rows are still being counted." : `${plural(total, "row")} of ${choice.table}.`),
    h("p.actions", null, way),
    h("h3", null, "The polars expression that makes it"), h("pre.expression", { tabindex: 0 }, shown(expression ?? "")),
    h("p.actions", null, button("Copy the expression", () => copied(expression ?? "", "the expression")),
      button("Copy a link to this view", () => copied(location.href, "the link"))));
}
