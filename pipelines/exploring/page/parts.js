"use strict";
// Parts that several views show: folds, facts, conversations, responses, scores.

function fold(title, body, isOpen = false) {
  return h("details", { open: isOpen }, h("summary", null, title), body);
}

function lazyFold(title, make) {
  const node = h("details", { ontoggle: () => { if (node.open && node.childElementCount === 1) node.append(make()); } }, h("summary", null, title));
  return node;
}

function factList(pairs) {
  return h("dl.facts", null, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) =>
    h("div", null, h("dt", null, name), h("dd", null, value instanceof Node || Array.isArray(value) ? value : shown(value, 200)))));
}

function short(id) {
  return String(id ?? "").slice(0, 12);
}

function idChip(id) {
  return button(shown(short(id)), () => copied(id, id), { class: "id", title: `${id} (copy)` });
}

// The turns of a conversation: who speaks, what is said, and which tools are called with what.
function conversation(turns, spans = []) {
  return h("div.turns", null, turns.map((turn,
    place) => h(`div.turn.${["user", "assistant", "system", "tool"].includes(turn.role) ? turn.role : "other"}`, null,
    h("h4", null, shown(turn.role, 40), turn.name ? [" ", h("code", null, shown(turn.name, 80))] : null),
    turn.reasoning ? lazyFold(`thoughts: ${plural(turn.reasoning.length, "character")}`, () => longText(turn.reasoning)) : null,
    turn.text ?? turn.content ? longText(turn.text ?? turn.content, spans[place] ?? []) : null,
    (turn.calls ?? []).map((call) => h("div.call", null, h("b", null, "calls ", h("code", null, shown(call.name, 100))),
      longText(prettyArguments(call.arguments)))))));
}

function prettyArguments(text) {
  if (typeof text !== "string") return JSON.stringify(text ?? {}, null, 1);
  try { return text.length < 20000 ? JSON.stringify(JSON.parse(text), null, 1) : text; } catch { return text; }
}

function responseText(response) {
  return response.text || "";
}

// One response as a card: what it says, its reward, and whether the label finds it best.
function responseCard(response, spans, extra) {
  return h(`section.card.response${response.best ? ".best" : ""}`, null,
    h("header", null, h("h3", null, `Response ${response.index + 1}`),
      response.best ? h("span.pill.good", null, response.rewardWord ? "right" : "best by its label") : null,
      response.reward === null || response.reward === undefined ? null : h("span.fact", null, `${response.rewardWord ?? "reward"} `,
        h("b", null, figure(response.reward))),
      response.tokens ? h("span.fact", null, `${count(response.tokens)} tokens`) : null,
      response.model ? h("span.fact.soft", null, shown(response.model, 60)) : null,
      response.origin ? h("span.fact.soft", null, shown(response.origin, 60)) : null, extra ?? null),
    response.reasoning ? lazyFold(`thoughts: ${plural(response.reasoning.length, "character")}`, () => longText(response.reasoning)) : null,
    response.conversation?.length ? conversation(response.conversation) : longText(responseText(response), spans));
}

const FIRST_RESPONSES = 8;

// Cards side by side; of very many responses the first ones, the best one, and a button for more.
function responseCards(responses, spansOf, extraOf) {
  const grid = h("div.responses");
  const best = responses.findIndex((response) => response.best);
  const first = responses.filter((_, index) => index < FIRST_RESPONSES || index === best);
  const rest = responses.filter((_, index) => index >= FIRST_RESPONSES && index !== best);
  const add = (some) => grid.append(...some.map((response) => responseCard(response, spansOf?.(response.index) ?? [], extraOf?.(response.index))));
  add(first);
  const more = button("", () => { add(rest.splice(0, 50)); name(); });
  const name = () => { more.textContent = `show ${Math.min(50, rest.length)} more of ${plural(rest.length, "response")}`; more.hidden = !rest.length;
    };
  name();
  return h("div", null, grid, more);
}

// A score from 1 to 10 as a number on a shade.
function scoreCell(score, isHighest) {
  if (score === null || score === undefined) return h("span.score.none", null, "–");
  const shade = Math.max(0, Math.min(1, (score - 1) / 9));
  return h(`span.score${isHighest ? ".highest" : ""}`, { style: { "--shade": `${Math.round(6 + 44 * shade)}%` },
    title: isHighest ? "the highest score" : null }, isHighest ? "▲ " : "", figure(score));
}

function highest(scores) {
  const known = (scores ?? []).filter((score) => typeof score === "number");
  return known.length > 1 ? Math.max(...known) : Infinity;
}

// Sentences of the row's end: accepted or rejected, and the reason.
function became(row) {
  return row.accepted ? [pill("accepted")] : [pill(row.outcome),
    row.reject_reason && row.reject_reason !== row.outcome ? pill(row.reject_reason) : null];
}

// Any value of a row, as a person reads it.
function valueBlock(value) {
  if (value === null || value === undefined) return h("span.soft", null, "null");
  if (typeof value === "string") return value.length > 120 || value.includes("\n") ? longText(value) : h("span", null, shown(value));
  if (typeof value !== "object") return h("span", null, figure(value));
  if (Array.isArray(value) && value.length && value.every((one) => one && typeof one.role === "string" && "content" in one)) return conversation(value);
  if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) return longText(value.map((one) => (one === null ? "null" : figure(one))).join(value.some((one) => String(one).length > 20) ? "\n\n" : ", "));
  return longText(JSON.stringify(value, null, 1));
}

function setLink(id, choice) {
  return id ? h("a", { href: choice ? rowAddress("sets", id, choice) : address(["set", id]) }, short(id)) : null;
}
