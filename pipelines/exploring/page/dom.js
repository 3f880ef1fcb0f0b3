"use strict";
// Elements of the page. Every text goes in as text: nothing here reads HTML.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// h("div.card", { title: "..", onclick: f }, children..): an element. Children are nodes, strings, or lists of them.
function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  return filled(node, props, children);
}

function svg(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElementNS(SVG, name);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return filled(node, props, children);
}

function filled(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, given] of Object.entries(value)) node.style.setProperty(name, given);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function put(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function button(title, act, props) {
  return h("button", { type: "button", onclick: act, ...props }, title);
}

function keyed(key, title, act, props) {
  return button([h("kbd", null, key), ` ${title}`], act, props);
}

function select(options, chosen, change, label) {
  const node = h("select", { "aria-label": label, onchange: () => change(node.value) },
    options.map(([value, title]) => h("option", { value, selected: value === chosen }, ...shown(title, 120))));
  return node;
}

function card(title, ...children) {
  return h("section.card", null, title ? h("h2", null, title) : null, ...children);
}

// A table of texts. `numbers` are the columns that stand flush right.
function plainTable(head, rows, numbers = []) {
  const right = new Set(numbers);
  const of = (name, cells) => cells.map((cell, place) => h(right.has(place) ? `${name}.number` : name,
    { scope: name === "th" ? "col" : null, "data-label": name === "td" ? head[place] : null },
      cell instanceof Node || Array.isArray(cell) ? cell : shown(cell)));
  return h("div.scrolls", { tabindex: 0 }, h("table", null, h("thead", null, h("tr", null, of("th", head))),
    h("tbody", null, rows.map((row) => h("tr", null, of("td", row))))));
}

const WORDS_OF_KIND = {
  correct: "good", accepted: "good", kept: "good", right: "good", readable: "good", incorrect: "bad", wrong: "bad",
  tied: "even", truncated: "unread", unparsed: "unread", wrong_count: "unread", out_of_range: "unread",
  contradictory: "unread", refused: "unread", failed: "unread", unreadable: "unread", undecided: "even",
  rejected: "out", dropped: "out", added: "good", removed: "bad", changed: "even", "left out": "left",
};

// A value that names what became of a row: a word in a frame, coloured by its kind.
function pill(value) {
  if (value === null || value === undefined || value === "") return h("span.soft", null, "–");
  return h(`span.pill.${WORDS_OF_KIND[value] ?? "other"}`, null, shown(String(value).replaceAll("_", " "), 60));
}

function count(number) {
  return number === null || number === undefined ? "–" : Number(number).toLocaleString("en-US");
}

function percent(share, digits = 0) {
  return share === null || share === undefined || Number.isNaN(share) ? "–" : `${(100 * share).toFixed(digits)}%`;
}

function figure(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return Math.abs(value) < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(4)));
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

let noticed;
function notice(text) {
  $("notice").textContent = text;
  clearTimeout(noticed);
  noticed = setTimeout(() => { $("notice").textContent = ""; }, 6000);
}

async function copied(text, what) {
  try { await navigator.clipboard.writeText(text); notice(`Copied: ${what}`);
    } catch { notice("The browser lets nothing be copied here: select the text."); }
}

function dialog(title, ...children) {
  put($("dialog"), h("form", { method: "dialog" }, h("h2", { id: "dialog-title", tabindex: -1, autofocus: true }, title), ...children,
    h("p.actions", null, h("button", { value: "" }, h("kbd", null, "Esc"), " close"))));
  if (!$("dialog").open) $("dialog").showModal();
}
