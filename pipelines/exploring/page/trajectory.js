"use strict";
// One judgement: why it was accepted or rejected, what the judge wrote with what was read in it, and what it was asked.

function whyCard(found) {
  const { row } = found;
  const isRight = found.item ? row.scores?.[found.best_position] === highest(row.scores) : row.accepted;
  return h(`section.why.${isRight ? "good" : "bad"}`, null,
    h("p.pills", null, became(row), row.mode ? h("span.soft", null, shown(row.mode.replace("_", "-"))) : null,
    row.purpose ? h("span.soft", null, shown(row.purpose)) : null),
    h("p.sentence", null, shown(found.why ?? "")),
    found.else?.length ? [h("p.soft", null, row.accepted ? "It was taken because:" : "What else would have had to hold:"),
      h("ul", null, found.else.map((line) => h("li", null, shown(line))))] : null);
}

function scoresPart_(found) {
  const { row, responses } = found;
  if (!row.order?.length) return null;
  const top = highest(row.scores);
  const best = found.best_position ?? row.order.findIndex((index) => responses?.[index]?.best);
  const shownOnes = row.order.slice(0, 200);
  return h("div.scrolls", { tabindex: 0 }, h("table.matrix", null,
    h("thead", null, h("tr", null, ["shown", "response", "score", "reward", ""].map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", null, shownOnes.map((index, position) => h("tr", null, h("td", null, String(position + 1)),
      h("td", null, h("a", { href: "", onclick: (event) => { event.preventDefault(); openResponses(index); } }, `response ${index + 1}`)),
      h("td.score-cell", null, scoreCell(row.scores?.[position], row.scores?.[position] === top)),
        h("td.number", null, figure(responses?.[index]?.reward ?? null)),
        h("td", null, position === best ? h("span.pill.good", null, "best") : null))))));
}

function openResponses(index) {
  const node = $("responses");
  if (!node) return;
  node.open = true;
  setTimeout(() => (node.querySelectorAll(".response")[index] ?? node).scrollIntoView({ block: "start" }), 30);
}

// Spans of a part of the text, each with an anchor that the outline jumps to.
function spansOf(found, part, words) {
  const text = String(found.row[part] ?? "");
  const read = (found.spans ?? []).filter((span) => span.part === part).map((span, place) => ({ ...span, anchor: `mark-${part}-${place}` }));
  return [...read, ...askedIn(text, words, part)];
}

function askedIn(text, words, part) {
  return sought(text.slice(0, 2000000), words).map(([start, end],
    place) => ({ part, start, end, kind: "words", note: `the words that are sought, ${place + 1}` }));
}

function textPart(found, words) {
  const { row } = found;
  const spans = spansOf(found, "text", words);
  const block = row.text === null || row.text === undefined ? null : longText(row.text, spans, { class: "text judged" });
  const thoughts = row.reasoning ? spansOf(found, "reasoning", words) : [];
  const thoughtBlock = row.reasoning ? longText(row.reasoning, thoughts) : null;
  const folded = thoughtBlock ? fold([`Thoughts: ${plural(row.reasoning.length, "character")}`,
    thoughts.length ? h("span.pill.other", null, `${thoughts.length} marked`) : null], thoughtBlock) : null;
  const node = h("div", null, folded, block ?? h("p.soft", null, "There is no text: the request failed."));
  const all = [...thoughts.map((span) => [span, thoughtBlock, folded]), ...spans.map((span) => [span, block, null])];
  return { node, spans: all };
}

function jumpTo([span, block, folded]) {
  if (folded) folded.open = true;
  block.reveal(span.end);
  const mark = span.anchor ? $(span.anchor)?.closest("mark") : [...block.querySelectorAll("mark.span-words")].find((one) => one.title.includes(span.note));
  if (!mark) return;
  mark.scrollIntoView({ block: "center" });
  mark.classList.add("flash");
  setTimeout(() => mark.classList.remove("flash"), 1200);
}

function outline(text) {
  if (!text.spans.length) return h("p.soft", null, "The reader found nothing to mark.");
  return h("ol.outline", null, text.spans.slice(0, 200).map((entry) => h("li", null,
    button([h(`i.swatch.span-${entry[0].kind}`, { "aria-hidden": "true" }), SPAN_LABELS[entry[0].kind] ?? entry[0].kind,
    entry[0].note ? h("small", null, shown(entry[0].note, 90)) : null], () => jumpTo(entry)))));
}

function principlesPart(principles) {
  if (!principles?.length) return null;
  return card("Criteria that the judge wrote for itself", plainTable(["criterion", "what it asks for", "weight"],
    principles.map((one) => [one.name ?? "", one.description ?? "", one.weight === null || one.weight === undefined ? "–" : percent(one.weight)]),
    [2]));
}

async function trajectoryView(route, main, signal) {
  const id = route.path[1];
  const found = await source.trajectory(id, signal);
  const { row } = found;
  const table = found.item ? "judgements" : "trajectories";
  const choice = route.params.at === undefined ? null : choiceOf(table, route.params);
  const text = textPart(found, route.params.words);
  const owner = found.item ? h("a", { href: rowsAddress("items", [["item_id", "is", row.item_id]]) }, shown(row.item_id, 40)) : setLink(row.set_id);
  let jumped = -1;
  const jump = (by) => {
    if (!text.spans.length) return notice("Nothing is marked here.");
    jumped = (Math.max(jumped, by < 0 ? 0 : -1) + by + text.spans.length) % text.spans.length;
    return jumpTo(text.spans[jumped]);
  };
  const sent = (row.prompt ?? []).map((turn) => askedIn(String(turn.content ?? ""), route.params.words, "prompt"));
  const asked = sent.flat().length;
  const title = [`The prompt as it was sent: ${plural(sent.length, "message")}`, asked ? h("span.pill.other", null, `${asked} marked`) : null];
  const turns = asked ? conversation(row.prompt, sent) : null; // made at once, so that n finds the words in it
  const prompt = turns ? fold(title, turns) : row.prompt ? lazyFold(title, () => conversation(row.prompt))
    : lazyFold("The question", () => conversation(found.query ?? []));
  prompt.open = asked > 0 && !text.spans.some(([span]) => span.kind === "words");
  text.spans.push(...sent.flatMap((spans, place) => spans.map((span) => [span, turns.children[place].querySelector(".text"), prompt])));
  const responses = found.responses?.length ? lazyFold(`The responses, in the order of the set: ${count(found.responses.length)}`,
    () => responseCards(found.responses)) : null;
  if (responses) responses.id = "responses";
  put(main, h("div.page.wide", null,
    h("header.title", null, h("h1", { tabindex: -1 }, found.item ? "Judgement " : "Trajectory ", h("span.mono", null, shown(short(id)))),
      walkButtons(table, route, choice)),
    whyCard(found),
    h("div.reading", null,
      h("div", null, card("What the judge wrote", text.node), principlesPart(row.principles), h("section.card", null, prompt),
        responses ? h("section.card", null, responses) : null),
      h("aside", null, card("Marked in it", outline(text)), card("Scores", scoresPart_(found) ?? h("p.soft", null, "No scores.")),
        card("Facts", factList([
          ["trajectory", row.trajectory_id ? idChip(row.trajectory_id) : null], [found.item ? "item" : "set", owner], ["source", row.source],
            ["domain", row.domain], ["split", row.split], ["model", row.model], ["template", row.prompt_template],
          ["temperature", row.temperature === undefined ? null : figure(row.temperature)],
            ["sample", row.sample_index === -1 ? "greedy" : String(row.sample_index + 1)], ["verdict form", row.verdict_form],
            ["finish", row.finish_reason],
          ["Meta RM's score", found.meta_rm === null || found.meta_rm === undefined ? null : figure(found.meta_rm)],
            ["margin", row.margin === null || row.margin === undefined ? null : figure(row.margin)],
          ["agreement with its siblings", row.agreement === null || row.agreement === undefined ? null : percent(row.agreement)],
            ["reference in the prompt", row.has_reference === undefined ? null : row.has_reference ? "yes" : "no"],
          ["tokens", row.completion_tokens === null ? null : `${count(row.prompt_tokens)} in, ${count(row.completion_tokens)} out`],
        ]))))));
  return {
    title: `Trajectory ${short(id)}`,
    keys: [
      ["j", "next of the choice", () => step(table, route.params, 1)], ["k", "the one before", () => step(table, route.params, -1)],
      ["n", "next mark in the text", () => jump(1)], ["N", "mark before", () => jump(-1)],
      ["t", "thoughts", () => { const node = text.node.querySelector("details"); if (node) node.open = !node.open; }],
        ["p", "the prompt as sent", () => { prompt.open = !prompt.open; if (prompt.open) prompt.scrollIntoView(); }],
      ["Enter", found.item ? "open its item" : "open its set", () => owner.click()],
        ["Esc", "back to the rows", () => backToRows(table, route.params)],
    ],
  };
}
