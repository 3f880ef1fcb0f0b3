"use strict";
// The keyboard: what the whole page answers to, and what a view adds. The list behind "?" is made of the same tables.

let viewKeys = []; // [key, words, act] of the view that is open
let awaitsSecond = false; // after g

const PLACES = [
  ["o", "overview", () => address([])],
  ["r", "rows: trajectories, or items", () => address(["rows", state.opened?.kind === "evaluation" ? "items" : "trajectories"])],
  ["s", "sets", () => address(["rows", "sets"])],
  ["f", "failures together", () => address(["failures"])],
  ["v", "versions", () => address(["versions"])],
  ["e", "evaluation", () => address(["evaluation"])],
  ["w", "review", () => address(["review"])],
  ["h", "all snapshots and evaluations", () => "#/all"],
];

const PAGE_KEYS = [
  ["?", "all keys", () => showKeys()],
  ["Esc", "close what is open; from a row, back to its list", () => {}],
  ["T", "light, dark, as the system says", () => turnTheme()],
];

function showKeys() {
  const rows = (keys) => h("dl.keys", null,
    keys.map(([key, words]) => [h("dt", null, key.split(" ").map((one) => h("kbd", null, one))), h("dd", null, words)]));
  const part = (title, keys) => h("section", null, h("h3", null, title), keys.length ? rows(keys) : h("p.soft", null, "No keys of its own."));
  dialog("Keys", h("div.two", null, part("This view", viewKeys),
    h("div", null, part("Go to", PLACES.map(([key, words]) => [`g ${key}`, words])), part("Everywhere", PAGE_KEYS))));
}

function isTyping(target) {
  return target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select");
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key, target } = event;
  if ($("dialog").open) {
    if (key === "?" && !isTyping(target)) $("dialog").close();
    return;
  }
  if (isTyping(target)) {
    if (key === "Escape") { target.blur(); document.querySelector("[data-home]")?.focus(); }
    return;
  }
  if (awaitsSecond) {
    awaitsSecond = false;
    const place = PLACES.find(([second]) => second === key);
    if (place) { event.preventDefault(); go(place[2]()); }
    return;
  }
  if (key === "g") { awaitsSecond = true; setTimeout(() => { awaitsSecond = false; }, 1500); return; }
  if ((key === "Enter" || key === " ") && target.closest("a, button, summary")) return;
  const named = { Escape: "Esc", ArrowDown: "↓", ArrowUp: "↑", " ": "Space" }[key] ?? key;
  const found = [...viewKeys, ...PAGE_KEYS].find(([names]) => names.split(" ").includes(named));
  if (!found) return;
  if (found[2](named) !== false) event.preventDefault();
}

document.addEventListener("keydown", pressed);
