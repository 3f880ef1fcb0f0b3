"use strict";
// The copy inside the page: the same answers as a server's, from rows that the page holds itself.

const TESTS = {
  is: (value, given) => value === given,
  in: (value, given) => Array.isArray(given) && given.includes(value),
  not: (value, given) => (Array.isArray(given) ? !given.includes(value) : value !== given),
  lt: (value, given) => value !== null && value < given,
  le: (value, given) => value !== null && value <= given,
  gt: (value, given) => value !== null && value > given,
  ge: (value, given) => value !== null && value >= given,
  null: (value) => value === null,
  not_null: (value) => value !== null,
  has: (value, given) => Array.isArray(value) && value.includes(given),
  contains: (value, given) => holdsWord(value, String(given).toLowerCase()),
};

async function bundled(script) {
  const text = script.textContent.trim();
  if (script.dataset.encoding !== "gzip") return JSON.parse(text);
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// Every text of a value, however deep it stands; who speaks is no text.
function holdsWord(value, word) {
  if (typeof value === "string") return value.toLowerCase().includes(word);
  if (Array.isArray(value)) return value.some((one) => holdsWord(one, word));
  return value !== null && typeof value === "object" && Object.entries(value).some(([name, one]) => name !== "role" && holdsWord(one, word));
}

function valueOf(row, column) {
  return row[column] ?? null;
}

function passes(row, where) {
  return where.every(([column, op, given]) => TESTS[op]?.(valueOf(row, column), given));
}

function flatOf(value, most) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) return value;
  const text = Array.isArray(value) && value.every((one) => typeof one?.content === "string")
    ? value.map((one) => `${one.role}: ${one.content}`).join("\n") : JSON.stringify(value);
  return text.slice(0, most);
}

function ordered(rows, column, desc) {
  const known = rows.filter((row) => valueOf(row, column) !== null);
  const sign = desc ? -1 : 1;
  known.sort((a, b) => (a[column] < b[column] ? -sign : a[column] > b[column] ? sign : 0));
  return [...known, ...rows.filter((row) => valueOf(row, column) === null)];
}

function copySource(tree) {
  const meanings = Object.entries(tree.opened.tables);
  const idOf = Object.fromEntries(meanings.map(([table, about]) => [table, about.id]));
  const byId = Object.fromEntries(meanings.map(([table]) => [table, new Map((tree.tables[table] ?? []).map((row) => [row[idOf[table]], row]))]));
  const wanted = (table, id) => {
    const row = byId[table]?.get(id);
    if (!row) throw new Refused(`This copy does not hold ${id}: it is a sample. The snapshot itself has it: grmforge look ${tree.copy.name}.`, 404);
    return row;
  };
  const has = (name) => tree[name] ?? (() => { throw new Refused(`This copy holds no ${name}: grmforge look ${tree.copy.name} shows it.`, 404); })();
  const chosen = (choice, leftOut) => {
    const words = wordsIn(choice.words.toLowerCase());
    const searched = choice.in === "any" ? tree.opened.tables[choice.table]?.any_text ?? [] : [choice.in];
    const where = choice.where.filter(([column]) => column !== leftOut);
    const inWords = (row) => words.every((word) => searched.some((name) => holdsWord(valueOf(row, name), word)));
    return (tree.tables[choice.table] ?? []).filter((row) => passes(row, where) && inWords(row));
  };
  const set = (id) => ({ ...tree.sets[id] ?? {}, set: wanted("sets", id) });
  return {
    isCopy: true,
    copy: tree.copy,
    opened: async () => tree.opened,
    overview: async () => has("overview"),
    failures: async () => has("failures"),
    evaluation: async () => has("evaluation"),
    versions: async () => ({ versions: has("versions").versions ?? tree.versions }),
    async rows(choice, columns, offset, limit) {
      const rows = choice.sort ? ordered(chosen(choice), choice.sort, choice.desc) : chosen(choice);
      const page = rows.slice(offset, offset + limit).map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key,
        flatOf(value, 300)])));
      return { total: rows.length, offset, rows: page, expression: expressionOf(choice, tree.copy, tree.opened.tables[choice.table]) };
    },
    count: async (choice) => ({ total: chosen(choice).length }),
    async facets(choice, columns) {
      return Object.fromEntries(columns.map((column) => {
        const counts = new Map();
        for (const row of chosen(choice, column)) counts.set(valueOf(row, column), (counts.get(valueOf(row, column)) ?? 0) + 1);
        return [column, [...counts].sort((a, b) => b[1] - a[1]).slice(0, 50)];
      }));
    },
    row: async (table, id) => ({ row: wanted(table, id) }),
    set: async (id) => set(id),
    async trajectory(id) {
      const row = wanted("trajectories", id);
      return { ...set(row.set_id), ...tree.trajectories[id] ?? {}, row };
    },
    async changes(old, now, kind, offset, limit) {
      const found = has("changes")[`${old}..${now}`];
      if (!found) throw new Refused("This copy does not hold the difference between these two versions.", 404);
      const rows = found.rows.filter((row) => !kind || row.kind === kind);
      return { ...found, rows: rows.slice(offset, offset + limit), total: kind ? rows.length : found.total };
    },
    review: async () => { throw new Refused(`A copy takes no reviews: grmforge look ${tree.copy.name} does.`, 404); },
    exported: null,
    whole: (choice) => chosen(choice),
  };
}

function python(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return Array.isArray(value) ? `[${value.map(python).join(", ")}]` : JSON.stringify(value);
}

// The polars expression of a choice, over the snapshot itself: as expressions.py makes it, of the same parts.
function expressionOf(choice, copy, about) {
  const of = Object.fromEntries(about.columns.map((column) => [column.name, column]));
  const holds = (name, word) => of[name].holds.replaceAll("WORD", () => python(`(?i)${word.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&")}`));
  const condition = ([name, op, given]) => {
    const column = of[name].polars;
    if (op === "contains") return holds(name, String(given));
    if (op === "in" || (op === "not" && Array.isArray(given))) return `${op === "not" ? "~" : ""}${column}.is_in(${python(given)}, nulls_equal=True)`;
    if (op === "is" || op === "not") return `${column}.${op === "is" ? "eq" : "ne"}_missing(${python(given)})`;
    if (op === "null" || op === "not_null") return `${column}.is_${op}()`;
    return op === "has" ? `${column}.list.contains(${python(given)})` : `${column} ${{ lt: "<", le: "<=", gt: ">", ge: ">=" }[op]} ${python(given)}`;
  };
  const isStatus = ([name]) => name === "status";
  const parts = (of.status?.choices ?? [null]).filter((status) => passes({ status }, choice.where.filter(isStatus)));
  const files = parts.map((status) => `${copy.place}/${[choice.table, status].filter(Boolean).join("/")}-*.parquet`);
  const searched = choice.in === "any" ? about.any_text : [choice.in];
  const tests = [...choice.where.filter((one) => !isStatus(one)).map(condition),
    ...wordsIn(choice.words).map((word) => `pl.any_horizontal(${searched.map((name) => holds(name, word)).join(", ")})`)];
  const sorted = choice.sort && choice.sort !== "status" ? `.sort(${of[choice.sort].polars}, descending=${python(choice.desc)}, nulls_last=True)` : "";
  return `pl.scan_parquet(${python(files)})${tests.map((test) => `.filter(${test})`).join("")}${sorted}`;
}
