"use strict";
// Every view is an address behind the #, so that it can be sent on, also of a page that lies in a file.

const CHOICE = ["where", "words", "in", "sort", "desc", "columns"];

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function routeOf(hash) {
  const text = hash.replace(/^#\/?/, "");
  const cut = text.indexOf("?");
  const path = (cut < 0 ? text : text.slice(0, cut)).split("/").filter(Boolean).map(decoded);
  return { view: path[0] ?? "overview", path, params: Object.fromEntries(new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1))) };
}

// Return the address of a view; the snapshot that is looked at stays, unless `params` names another.
function address(path, params = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries({ v: here().params.v, ...params })) {
    if (value !== undefined && value !== null && value !== "") query.set(key, value);
  }
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%40", "@");
  return `#/${path.map((part) => encodeURIComponent(part)).join("/")}${text ? `?${text}` : ""}`;
}

function here() {
  return routeOf(location.hash);
}

function go(to) {
  if (location.hash === to) route(); else location.hash = to;
}

// As go, without a step for the browser's "back".
function goInstead(to) {
  history.replaceState(null, "", to);
  return route();
}

// What is chosen of a table: {table, where, words, in, sort, desc, columns}.
function choiceOf(table, params) {
  let where = [];
  try { where = JSON.parse(params.where ?? "[]"); } catch { where = null; } // an address that was cut off
  const isWhere = Array.isArray(where) && where.every((one) => Array.isArray(one) && typeof one[0] === "string" && typeof one[1] === "string");
  if (!isWhere) notice("The filter in this link cannot be read: the link was cut off, perhaps. It is left out.");
  return {
    table, where: isWhere ? where : [], words: params.words ?? "", in: params.in ?? "any", sort: params.sort ?? "",
    desc: params.desc === "1", columns: params.columns ? params.columns.split(",") : null,
  };
}

function paramsOf(choice) {
  return {
    where: choice.where.length ? JSON.stringify(choice.where) : "", words: choice.words, in: choice.in === "any" ? "" : choice.in,
    sort: choice.sort, desc: choice.desc ? "1" : "", columns: choice.columns?.join(",") ?? "",
  };
}

function rowsAddress(table, where = [], more = {}) {
  return address(["rows", table], { where: where.length ? JSON.stringify(where) : "", ...more });
}

// The view of a row of a table; other tables show a row beside the list.
function viewOf(table) {
  return { trajectories: "trajectory", sets: "set", judgements: source.isCopy ? null : "trajectory" }[table];
}

// The address of one row of a table, with the choice that it was found in: j and k walk on in that choice.
function rowAddress(table, id, choice, at) {
  const found = choice ? { ...paramsOf(choice), at: at === undefined ? "" : String(at) } : {};
  const view = viewOf(table);
  return view ? address([view, id], found) : address(["rows", table], { ...(choice ? paramsOf(choice) : {}), row: id, at });
}
