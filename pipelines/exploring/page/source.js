"use strict";
// Where the page's data comes from: a server beside it, or a copy inside it (bundle.js). Both answer the same questions.

// What cannot be had, in a sentence for the person who asked.
class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

async function sentTo(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refused("The server does not answer. It ends with Ctrl-C where it was started: start `grmforge look` again, and open the address that it prints.", 0);
  }
  let tree = null;
  try { tree = await answer.json(); } catch (fault) { if (fault.name === "AbortError") throw fault; }
  if (!answer.ok || tree === null) throw new Refused(tree?.error ?? `The server answers ${answer.status} without words.`, answer.status);
  return tree;
}

function query(params) {
  const text = new URLSearchParams(Object.entries({ v: here().params.v,
    ...params }).filter(([, value]) => value !== undefined && value !== null && value !== "")).toString();
  return text ? `?${text}` : "";
}

function asked(name, params = {}, signal = undefined) {
  return sentTo(`api/${name}${query(params)}`, { signal });
}

function choiceParams(choice) {
  return {
    table: choice.table, where: choice.where.length ? JSON.stringify(choice.where) : "", words: choice.words,
    in: choice.words ? choice.in : "", sort: choice.sort, desc: choice.sort ? String(Number(choice.desc)) : "",
  };
}

const SERVER = {
  isCopy: false,
  opened: () => asked("opened"),
  overview: (signal) => asked("overview", {}, signal),
  rows: (choice, columns, offset, limit, signal) => asked("rows", { ...choiceParams(choice), columns: columns?.join(","), offset, limit }, signal),
  count: (choice, signal) => asked("count", choiceParams(choice), signal),
  facets: (choice, columns, signal) => asked("facets", { ...choiceParams(choice), columns: columns.join(",") }, signal),
  row: (table, id, signal) => asked("row", { table, id }, signal),
  set: (id, signal) => asked("set", { id }, signal),
  trajectory: (id, signal) => asked("trajectory", { id }, signal),
  failures: (by, signal) => asked("failures", { by }, signal),
  versions: (signal) => asked("versions", {}, signal),
  changes: (old, now, kind, offset, limit, signal) => asked("changes", { old, new: now, kind, offset, limit }, signal),
  evaluation: (signal) => asked("evaluation", {}, signal),
  review: (params, signal) => asked("review", params, signal),
  store: (file) => sentTo(`api/reviews${query({})}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(file) }),
  exported: (choice, columns, format) => `api/export${query({ ...choiceParams(choice), columns: columns?.join(",") ?? "", format })}`,
};

let source = SERVER;
