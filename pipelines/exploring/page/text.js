"use strict";
// Texts of data sets and models, as a person may be shown them: what would be hidden stands there as its escape.

// As pipelines/reporting/visible.py, and zero-width blanks. Joiners stay: several scripts and emoji need them.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]+/gu;
const FIRST = 20000; // characters of a long text that are shown at once
const MORE = 100000;

function escaped(hidden) {
  return Array.from(hidden, (one) => {
    const code = one.codePointAt(0);
    const digits = code.toString(16);
    return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
  }).join("");
}

// Return nodes that show a text: marks in the place of hidden characters. With `most`, the first so many characters.
function shown(text, most) {
  let rest = String(text ?? "").replaceAll("\r\n", "\n");
  const isCut = most !== undefined && rest.length > most;
  if (isCut) rest = rest.slice(0, most);
  const nodes = [];
  let end = 0;
  for (const found of rest.matchAll(HIDDEN)) {
    if (found.index > end) nodes.push(rest.slice(end, found.index));
    nodes.push(h("span.unshown", { title: "a character that does not show" }, escaped(found[0])));
    end = found.index + found[0].length;
  }
  if (end < rest.length) nodes.push(rest.slice(end));
  if (isCut) nodes.push("…");
  return nodes;
}

// One line of a text, for a cell; the words that are sought stand marked in it.
function oneLine(text, most, words) {
  const flat = String(text ?? "").slice(0, 4 * most).replace(/\s+/g, " ").trim();
  const parts = sought(flat, words);
  if (!parts.length) return shown(flat, most);
  const from = parts[0][0] > most - 20 ? Math.max(0, parts[0][0] - 40) : 0;
  const nodes = from ? ["…"] : [];
  let end = from;
  for (const [start, stop] of parts.filter(([start]) => start < from + most)) {
    nodes.push(...shown(flat.slice(end, start)), h("mark", null, shown(flat.slice(start, stop))));
    end = stop;
  }
  return [...nodes, ...shown(flat.slice(end), Math.max(0, from + most - end))];
}

// The words that are looked for, as the server takes them: what stands in quotation marks is one.
function wordsIn(text) {
  return [...new Set([...text.matchAll(/"([^"]+)"|([^\s"]+)/g)].map(([, quoted, plain]) => quoted ?? plain))].slice(0, 8);
}

// Where the words that are sought stand: [start, end] each, in any case. Where they stand as one phrase, only that is
// marked; else each of them, but for words so short that they would stand everywhere.
function sought(text, words) {
  if (!words) return [];
  const low = text.toLowerCase();
  if (low.length !== text.length) return [];
  const [each, phrase] = [wordsIn(words.toLowerCase()), words.toLowerCase().replaceAll('"', "")];
  const marked = phrase && low.includes(phrase) ? [phrase] : each.filter((word) => word.length > 2 || each.length === 1);
  const found = [];
  for (const word of marked) for (let at = low.indexOf(word); at >= 0 && found.length < 1000; at = low.indexOf(word, at + word.length)) found.push([at, at + word.length]);
  let last = 0;
  return found.sort((a, b) => a[0] - b[0] || b[1] - a[1]).filter(([start, end]) => start >= last && (last = end));
}

// A block that holds a text however long: its first characters, and a button for more.
function longText(text, spans = [], props = {}) {
  const whole = String(text ?? "");
  const block = h("div.text", { tabindex: 0, dir: "auto", ...props });
  let end = 0;
  const more = button("", () => grow(MORE));
  const grow = (by) => {
    const start = end;
    end = Math.min(whole.length, start + by);
    if (/[\ud800-\udbff]/.test(whole[end - 1] ?? "")) end = Math.min(whole.length, end + 1);
    more.remove();
    block.append(...marked(whole, spans, start, end));
    if (end < whole.length) {
      more.textContent = `show more: ${count(whole.length - end)} of ${count(whole.length)} characters are left`;
      block.append(more);
    }
  };
  grow(FIRST);
  block.reveal = (place) => { while (end < whole.length && end <= place) grow(MORE); };
  return block;
}

const SPAN_LABELS = {
  verdict: "verdict", principle: "principle", critique: "critique", leak: "hint leak", cut: "cut off", words: "sought",
  added: "only here", heading: "heading",
};

// Return nodes for text[start:end] with its spans marked. Spans may overlap: each piece carries all kinds that cover it.
function marked(text, spans, start, end) {
  const inside = spans.filter((span) => span.start < end && span.end > start && span.end > span.start);
  if (!inside.length) return shown(text.slice(start, end));
  const edges = new Set([start, end]);
  for (const span of inside) edges.add(Math.max(start, span.start)).add(Math.min(end, span.end));
  const places = [...edges].sort((a, b) => a - b);
  const begins = new Map();
  for (const span of inside) begins.set(span.start, [...(begins.get(span.start) ?? []), span]);
  const ordered = [...inside].sort((a, b) => a.start - b.start);
  const nodes = [];
  let [next, open] = [0, []];
  for (let place = 0; place + 1 < places.length; place += 1) {
    const [from, to] = [places[place], places[place + 1]];
    while (next < ordered.length && ordered[next].start <= from) open.push(ordered[next++]);
    open = open.filter((span) => span.end > from);
    const piece = shown(text.slice(from, to));
    if (!open.length) { nodes.push(...piece); continue; }
    const kinds = [...new Set(open.map((span) => span.kind))];
    const tags = (begins.get(from) ?? []).filter((span) => span.kind !== "added" && span.kind !== "words");
    nodes.push(h("mark", { class: kinds.map((kind) => `span-${kind}`).join(" "),
      title: open.map((span) => span.note || SPAN_LABELS[span.kind] || span.kind).join("; ") },
      tags.map((span) => h("span.tag", { id: span.anchor ?? null, "data-kind": span.kind }, SPAN_LABELS[span.kind] ?? span.kind)), piece));
  }
  return nodes;
}
