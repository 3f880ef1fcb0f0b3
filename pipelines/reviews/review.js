"use strict";
const draw = JSON.parse(document.getElementById("draw").textContent);
const items = draw.items;
const byId = new Map(items.map((item) => [item.set_id, item]));
const PREFIX = `grmforge review/${draw.draw_id}/${draw.page}/`;
const answers = new Map(); // set_id to {choice, at, after_label}; a choice of null was taken back
const history = []; // [set_id, choice before], of this tab
let place = 0;
let keeps = true;

const $ = (id) => document.getElementById(id);

function made(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// What the browser keeps: a key for each set, so that two tabs never overwrite each other's answers.
function kept(key) {
  try { return localStorage.getItem(PREFIX + key); } catch { keeps = false; return null; }
}

function keep(key, value) {
  try { localStorage.setItem(PREFIX + key, value); } catch { keeps = false; }
  if (!keeps) notice("This browser keeps no answers: save them as a file (s) before you close the page.");
}

function choicesOf(item) {
  if (item.responses.length === 1) return ["right", "wrong", "cannot_tell"];
  return [...item.responses.map((_, position) => position + 1), "tie", "cannot_tell"];
}

function merge(setId, answer) {
  const item = byId.get(setId);
  const isAnswer = answer && typeof answer.at === "string" && !Number.isNaN(Date.parse(answer.at));
  if (!item || !isAnswer || !(answer.choice === null || choicesOf(item).includes(answer.choice))) return false;
  const known = answers.get(setId);
  const isNewer = !known || Date.parse(answer.at) > Date.parse(known.at);
  if (isNewer) answers.set(setId, { choice: answer.choice, at: answer.at, after_label: answer.after_label === true });
  return true;
}

function mergeText(setId, text) {
  try { merge(setId, JSON.parse(text)); } catch { /* not ours */ }
}

function choiceOf(item) {
  return answers.get(item.set_id)?.choice ?? null;
}

function put(item, choice) {
  const text = kept(item.set_id);
  if (text !== null) mergeText(item.set_id, text); // another tab may have answered since
  const known = answers.get(item.set_id);
  const at = new Date(Math.max(Date.now(), known ? Date.parse(known.at) + 1 : 0)).toISOString();
  const answer = { choice, at, after_label: known !== undefined };
  answers.set(item.set_id, answer);
  keep(item.set_id, JSON.stringify(answer));
  render();
}

function choose(choice) {
  const item = items[place];
  if (!item || !choicesOf(item).includes(choice) || choiceOf(item) === choice) return;
  history.push([item.set_id, choiceOf(item)]);
  put(item, choice);
}

function undo() {
  const [setId, before] = history.pop() ?? [items[place]?.set_id, null];
  const item = byId.get(setId);
  if (!item || choiceOf(item) === before) return;
  place = items.indexOf(item);
  put(item, before);
}

function go(to) {
  place = Math.max(0, Math.min(items.length - 1, to));
  render();
  scrollTo(0, 0);
  $("item").focus({ preventScroll: true });
}

function words(choice) {
  return typeof choice === "number" ? `response ${choice}` : choice.replace("_", " ");
}

function textBlock(text) {
  const block = made("div", text, "text");
  block.tabIndex = 0; // so that keys can scroll it
  block.dir = "auto";
  return block;
}

function card(title, turns, className) {
  const section = made("section", undefined, `card ${className ?? ""}`);
  section.append(made("h2", title));
  for (const [role, text] of turns) {
    if (role) section.append(made("h2", role));
    section.append(textBlock(text));
  }
  return section;
}

function revealed(item) {
  const section = made("section", undefined, "card reveal");
  section.id = "reveal";
  section.append(made("h2", "After your choice"));
  const list = made("dl");
  for (const [name, text] of item.after.facts) list.append(made("dt", name), made("dd", text));
  section.append(list);
  return section;
}

function choiceButton(item, choice, key, title) {
  const button = made("button");
  button.type = "button";
  button.dataset.choice = choice;
  button.setAttribute("aria-pressed", String(choiceOf(item) === choice));
  button.append(made("kbd", key), ` ${title}`);
  button.addEventListener("click", () => choose(choice));
  return button;
}

function render() {
  const item = items[place];
  const done = items.filter((one) => choiceOf(one) !== null).length;
  $("progress").value = items.length ? done / items.length : 0;
  $("count").textContent = items.length
    ? `set ${place + 1} of ${items.length} · ${done} answered${done === items.length ? " · all done: s saves" : ""}`
    : "this page has no sets";
  if (!item) return;
  const chosen = choiceOf(item);
  const isSingle = item.responses.length === 1;
  const responses = made("div", undefined, "responses");
  item.responses.forEach((text, position) => {
    const isLabel = chosen !== null && item.after.label === position + 1;
    const marks = `${chosen === position + 1 ? "chosen" : ""} ${isLabel ? "label" : ""}`;
    const title = isSingle ? "The response" : `Response ${position + 1}${isLabel ? " · the label" : ""}`;
    responses.append(card(title, [["", text]], marks));
  });
  const parts = [card("The question", item.question), responses];
  if (chosen !== null) parts.push(revealed(item));
  $("item").replaceChildren(...parts);
  const keys = isSingle ? [["right", "1"], ["wrong", "2"]] : item.responses.map((_, at) => [at + 1, at < 9 ? `${at + 1}` : ""]);
  if (!isSingle) keys.push(["tie", "t"]);
  keys.push(["cannot_tell", "c"]);
  $("choices").replaceChildren(...keys.map(([choice, key]) => choiceButton(item, choice, key, words(choice))));
}

function save() {
  const given = items.map((item) => {
    const answer = answers.get(item.set_id);
    const { set_id, order, stratum, stratum_size, weight } = item;
    const isAnswered = choiceOf(item) !== null;
    return {
      set_id, order, stratum, stratum_size, weight,
      choice: choiceOf(item), at: isAnswered ? answer.at : null, after_label: isAnswered && answer.after_label,
    };
  });
  const { items: _, ...head } = draw;
  const file = { ...head, reviewer: $("name").value.trim(), browser, saved_at: new Date().toISOString(), answers: given };
  const link = made("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
  link.download = `review-${draw.snapshot.name}-${draw.draw_id.slice(0, 8)}-${draw.page}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  notice(`Saved as ${link.download}, where your browser puts downloads. Import it with: grmforge review import FILE`);
}

async function load(file) {
  let saved;
  try { saved = JSON.parse(await file.text()); } catch { return notice(`${file.name}: no saved answers can be read in it`); }
  if (saved?.kind !== draw.kind || !Array.isArray(saved.answers)) return notice(`${file.name}: not a file of saved answers`);
  if (saved.draw_id !== draw.draw_id) return notice(`${file.name}: these answers are of another draw (${String(saved.draw_id).slice(0, 8)})`);
  const [mine, theirs] = [$("name").value, String(saved.reviewer ?? "")].map((name) => name.trim());
  if (mine && theirs && mine.toLowerCase() !== theirs.toLowerCase()) {
    return notice(`${file.name}: these answers are of ${theirs}, not of ${mine}; empty the name (n) to go on with them`);
  }
  let unused = 0;
  for (const answer of saved.answers.filter((one) => one && one.choice !== null)) {
    if (merge(answer.set_id, answer)) keep(answer.set_id, JSON.stringify(answers.get(answer.set_id)));
    else unused += 1;
  }
  if (!$("name").value && typeof saved.reviewer === "string") named(saved.reviewer);
  notice(`${file.name}: opened${unused ? `; ${unused} answers are of no set of this page` : ""}`);
  render();
}

function named(name) {
  $("name").value = name.slice(0, 100);
  keep("name", $("name").value);
}

function nextOpen() {
  const open = items.findIndex((item) => choiceOf(item) === null);
  if (open >= 0) go(open);
}

function toggleHelp() {
  if ($("keys").open) $("keys").close(); else $("keys").showModal();
}

const KEYS = {
  t: () => choose("tie"), c: () => choose("cannot_tell"), j: () => go(place + 1), k: () => go(place - 1),
  f: nextOpen, u: undo, s: save, o: () => $("file").click(), n: () => $("name").focus(), "?": toggleHelp,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("name")) {
    if (event.key === "Enter" || event.key === "Escape") $("item").focus();
    return;
  }
  if ($("keys").open) {
    if (event.key === "?" || event.key === "Escape") $("keys").close();
    return;
  }
  const digit = /^[1-9]$/.test(event.key) ? Number(event.key) : null;
  const isSingle = items[place]?.responses.length === 1;
  const act = digit ? () => choose(isSingle ? ["right", "wrong"][digit - 1] : digit) : KEYS[event.key.length === 1 ? event.key.toLowerCase() : ""];
  if (!act) return;
  event.preventDefault();
  act();
});

for (const [id, act] of [["save", save], ["open", KEYS.o], ["help", toggleHelp], ["undo", undo], ["next", KEYS.j], ["previous", KEYS.k]]) {
  $(id).addEventListener("click", act);
}
$("name").addEventListener("input", () => keep("name", $("name").value));
$("file").addEventListener("change", () => { if ($("file").files[0]) load($("file").files[0]); $("file").value = ""; });
addEventListener("storage", (event) => {
  if (!event.key?.startsWith(PREFIX) || event.newValue === null) return;
  const key = event.key.slice(PREFIX.length);
  if (key === "name") $("name").value = event.newValue; else mergeText(key, event.newValue);
  render();
});
addEventListener("beforeunload", (event) => { if (!keeps && answers.size) event.preventDefault(); });

const browser = kept("browser") ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16)).join("");
keep("browser", browser);
$("name").value = kept("name") ?? "";
for (const item of items) mergeText(item.set_id, kept(item.set_id));
go(0);
nextOpen();
