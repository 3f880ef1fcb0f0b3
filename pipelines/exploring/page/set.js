"use strict";
// A set: the question, its responses side by side, and every judgement of it as a matrix.

const FIRST_COLUMNS = 40; // responses in the matrix at first

function setFacts(set) {
  const suspicion = set.label_suspicion === null || set.label_suspicion === undefined ? null : `${figure(set.label_suspicion)}${set.suspicion_reasons?.length ? ` (${set.suspicion_reasons.join(", ").replaceAll("_", " ")})` : ""}`;
  return factList([
    ["set", idChip(set.set_id)], ["source", set.source], ["row of it", set.source_id], ["domain", set.domain], ["split", set.split],
      ["licence", set.license],
    ["label by", set.label_source], ["margin of rewards", set.margin === null ? null : figure(set.margin)],
      ["label of the one response", set.label === null || set.label === undefined ? null : set.label === 1 ? "right" : "wrong"],
    ["label suspicion", suspicion], ["dropped for", set.drop_reason ? pill(set.drop_reason) : null], ["holds a query of", set.contaminated_by],
    ["best by most votes", set.retagged_best === null || set.retagged_best === undefined ? null : `response ${set.retagged_best + 1}`],
  ]);
}

// Spans of each response that no word of the one beside it matches; the one that all are compared with is `base`.
function responseSpans(responses, base) {
  const spans = new Map();
  const words = new Map();
  if (responses.length < 2 || responses.length > 60) return { spans, words };
  for (const response of responses) {
    if (response.index === base || response.conversation?.length) continue;
    const found = differences(responseText(responses[base]), responseText(response));
    if (found.why) { words.set(response.index, found.why); continue; }
    spans.set(response.index, found.right);
    if (responses.length === 2) spans.set(base, found.left);
  }
  return { spans, words };
}

// The judgements of a set: a row each, a column a response, as in the set or as it was shown.
function matrix(found, asShown, columns, choice) {
  const { responses, samples } = found;
  const places = responses.slice(0, columns).map((_, place) => place);
  const best = responses.findIndex((response) => response.best);
  const head = h("tr", null, h("th", { scope: "col" }, "judgement"),
    places.map((place) => h("th.score-head", { scope: "col" }, asShown ? `shown ${place + 1}` : [`${place + 1}`,
    place === best ? h("span.good", { title: "best by its label" }, " ✓ best") : null])),
    responses.length > 1 ? h("th", { scope: "col" }, "finds best") : null, h("th", { scope: "col" }, "became"));
  const body = samples.map((sample) => {
    const top = highest(sample.scores);
    const order = sample.order ?? places;
    const cells = places.map((place) => {
      const index = asShown ? order[place] : place;
      const score = sample.scores?.[index];
      const beside = asShown ? `response ${index + 1}` : `shown ${order.indexOf(index) + 1}`;
      return h(`td.score-cell${index === best ? ".best" : ""}`, null, scoreCell(score, score === top),
        h("small", null, index === undefined || (!asShown && order.indexOf(index) < 0) ? "–" : beside));
    });
    const picked = (sample.scores ?? []).flatMap((score, index) => (score === top ? [index + 1] : []));
    return h("tr", { "data-trajectory": sample.trajectory_id }, h("th", { scope: "row" },
      h("a", { href: rowAddress("trajectories", sample.trajectory_id, choice) },
      `${sample.mode?.replace("_", "-") ?? "sample"} ${sample.sample_index + 1}`),
      h("small", null, shown([sample.purpose, sample.model].filter(Boolean).join(" · "), 60))),
      cells, responses.length < 2 ? null : h("td", null, picked.length > 3 ? `${picked.length} alike` : picked.join(", ") || "–"),
        h("td.became", null, became({ accepted: sample.status === "accepted", ...sample })));
  });
  return h("div.scrolls", { tabindex: 0 }, h("table.matrix", null, h("thead", null, head), h("tbody", null, body)));
}

function matrixPart(found, choice) {
  if (!found.samples?.length) return { node: h("p.soft", null, "No judge was asked about this set."), turn: () => {} };
  let [asShown, columns] = [false, FIRST_COLUMNS];
  const holder = h("div");
  const toggle = keyed("i", "", () => turn());
  const more = button("", () => { columns += 200; draw(); });
  const draw = () => {
    put(toggle, h("kbd", null, "i"), asShown ? " order as shown → order in the set" : " order in the set → order as shown");
    more.textContent = `show 200 more of ${count(found.responses.length)} responses`;
    more.hidden = columns >= found.responses.length;
    put(holder, matrix(found, asShown, columns, choice));
  };
  const turn = () => { asShown = !asShown; draw(); };
  draw();
  return { node: h("div", null, h("p.actions", null, toggle, more,
    h("span.soft", null, "▲ is the highest score of a judgement; the small words say where the response stood.")), holder), turn };
}

async function setView(route, main, signal) {
  const id = route.path[1];
  const found = await source.set(id, signal);
  const { set, responses } = found;
  const choice = route.params.at === undefined ? null : choiceOf("sets", route.params);
  const best = Math.max(0, responses.findIndex((response) => response.best));
  let isMarked = responses.length > 1 && responses.length <= 60;
  const compared = responseSpans(responses, best);
  const holder = h("div");
  const about = (index) => (compared.words.has(index) && isMarked ? h("span.fact.soft", null, compared.words.get(index)) : null);
  const draw = () => put(holder, responseCards(responses, (index) => (isMarked ? compared.spans.get(index) ?? [] : []), about));
  const toggle = keyed("d", "differences", () => { isMarked = !isMarked; toggle.setAttribute("aria-pressed", String(isMarked)); draw(); },
    { "aria-pressed": String(isMarked) });
  draw();
  const made = matrixPart(found, null);
  put(main, h("div.page.wide", null,
    h("header.title", null, h("h1", { tabindex: -1 }, "Set ", h("span.mono", null, shown(short(id)))),
      h("p.pills", null, pill(set.drop_reason ? "dropped" : "kept"), set.drop_reason ? pill(set.drop_reason) : null,
      h("span.soft", null, plural(responses.length, "response"))), walkButtons("sets", route, choice)),
    setFacts(set), found.facts?.length ? factList(found.facts) : null,
    card("Question", conversation(found.query ?? set.query ?? []), set.reference ? fold("Reference answer", longText(set.reference)) : null),
    set.given_principles ? card("Criteria given to its judges", longText(set.given_principles)) : null,
    h("section.part", null, h("h2", null, "Responses"), responses.length > 1 && responses.length <= 60 ? h("p.actions", null, toggle,
      h("span.soft", null, responses.length === 2 ? "Words that only one of the two has are underlined." : `Words that response ${best + 1} does not have are underlined.`)) : null, holder),
    h("section.part", null, h("h2", null, "Every judgement of it"), made.node)));
  return {
    title: `Set ${short(id)}`,
    keys: [
      ["j", "next set of the choice", () => step("sets", route.params, 1)], ["k", "set before", () => step("sets", route.params, -1)],
      ["d", "mark differences between the responses", () => toggle.click()], ["i", "order in the set, or as shown", made.turn],
      ["Enter", "open its first judgement", () => main.querySelector("tr[data-trajectory] a")?.click()],
        ["Esc", "back to the rows", () => backToRows("sets", route.params)],
    ],
  };
}

function walkButtons(table, route, choice) {
  if (!choice) return h("nav.walk", null, keyed("Esc", table, () => backToRows(table, route.params)));
  return h("nav.walk", { "aria-label": "Neighbours" }, keyed("k", "before", () => step(table, route.params, -1)),
    h("span.soft", null, `row ${count(Number(route.params.at) + 1)}`), keyed("j", "next", () => step(table, route.params, 1)),
    keyed("Esc", "rows", () => backToRows(table, route.params)));
}
