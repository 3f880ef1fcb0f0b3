"use strict";
// A snapshot at a glance: what report.html shows, each part a link to its rows.

const OUTCOME_KINDS = { accepted: "good", "left out": "left", incorrect: "bad", tied: "even", unreadable: "unread" };

function tiles(pairs) {
  return pairs?.length ? h("ul.tiles", null,
    pairs.map(([number, words]) => h("li", null, h("b", null, shown(number)), h("span", null, shown(words))))) : null;
}

function attentionBox(sentences) {
  if (!sentences?.length) return h("p.fine", null, "Nothing asks for your attention.");
  return h("section.attention", { "aria-label": "Look at this first" }, h("h2", null, "Look at this first"),
    h("ul", null, sentences.map((sentence) => h("li", null, shown(sentence, 1000)))));
}

function outcomeParts(rows, source, mode) {
  const byName = new Map();
  for (const row of rows) byName.set(row.outcome, (byName.get(row.outcome) ?? 0) + row.count);
  const where = { accepted: [["accepted", "is", true]], "left out": [["accepted", "is", false], ["outcome", "is", "correct"]],
    incorrect: [["outcome", "is", "incorrect"]], tied: [["outcome", "is", "tied"]], unreadable: [["outcome", "in", UNREADABLE]] };
  return Object.entries(OUTCOME_KINDS).map(([name, kind]) => ({
    name, kind, count: byName.get(name) ?? 0,
    href: rowsAddress("trajectories", [["source", "is", source], ["mode", "is", mode], ["purpose", "is", "rft"], ...where[name]]),
  }));
}

const UNREADABLE = ["unparsed", "truncated", "wrong_count", "out_of_range", "contradictory", "refused", "failed"];

function grouped(rows, ...names) {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify(names.map((name) => row[name]));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function outcomesPart(outcomes) {
  return grouped(outcomes, "source", "mode").map((rows) => {
    const [{ source: name, mode }] = rows;
    const sizes = grouped(rows, "n_responses").sort((a, b) => a[0].n_responses - b[0].n_responses);
    const parts = outcomeParts(rows, name, mode);
    const line = (title, some) => h("div.line", null, h("span", null, title), stackedBar(some, `${name}, ${mode}`),
      h("span.number", null, count(some.reduce((sum, part) => sum + part.count, 0))));
    return h("div.outcome", null, line([h("b", null, shown(name, 60)), " ", h("span.soft", null, shown(mode.replace("_", "-")))], parts),
      legendOf(parts),
      sizes.length > 1 ? fold("by number of responses", h("div", null,
        sizes.map((some) => line(plural(some[0].n_responses, "response"),
        outcomeParts(some, name, mode).map((part) => ({ ...part, href: null })))))) : null);
  });
}

function positionsPart(positions) {
  return h("div.multiples", null, positions.map((one) => h("div.card", null,
    h("h3", null, shown(one.source, 60), h("span.soft", null, ` ${one.n_responses} responses`)),
    pairedColumns(one.before, one.after, `${one.source}: ${one.before} before, ${one.after} after`),
    h("p.soft", null, "p = ", h("b", null, figure(one.p_before)), " before, ", h("b", null, figure(one.p_after)), " after"))));
}

function lengthsPart(lengths) {
  return lengths.map((one) => h("div.line", null, h("span", null, h("b", null, shown(one.source, 60))),
    shareBar(one.best_is_longest, one.chance, `${one.source}: ${percent(one.best_is_longest)}, chance ${percent(one.chance)}`),
    h("span.number", null, percent(one.best_is_longest), h("span.soft", null, ` vs ${percent(one.chance)}`))));
}

function reasonsPart(reasons) {
  return plainTable(["source", "reason", "rows", "which means"],
    reasons.map((one) => [one.source, one.table ? h("a", { href: rowsAddress(one.table, one.where) },
    shown(one.reason.replaceAll("_", " "))) : one.reason, count(one.count), one.meaning ?? ""]), [2]);
}

function scoresPart(scores) {
  if (!Array.isArray(scores)) return plainTable(scores.head,
    scores.rows.map((row) => row.map((cell) => (typeof cell === "number" ? count(cell) : cell))), scores.head.map((_, place) => place).slice(1));
  const most = Math.max(...scores.map((one) => one.count), 1);
  return h("div.multiples", null, grouped(scores, "outcome").map((rows) => h("div.card", null, h("h3", null, pill(rows[0].outcome)),
    h("div.histogram", { role: "img", "aria-label": rows.map((row) => `${row.score}: ${row.count}`).join(", ") },
      rows.toSorted((a, b) => a.score - b.score).map((row) =>
      h("div", { title: `${row.score}: ${count(row.count)}` }, h("i", { style: { height: percent(row.count / most, 1) } }),
        h("span", null, figure(row.score))))))));
}

function overviewSections(found) {
  const has = (list) => (Array.isArray(list) ? list.length > 0 : list !== null && list !== undefined);
  const sections = [
    ["funnel", "From rows read to rows published", has(found.funnel),
      () => [h("p.note", null, "Each ribbon is a link to its rows. Names at the right lead to the rows of every source."),
      h("div.bands", null, found.funnel.map(flow)), published(found.published ?? [])]],
    ["outcomes", "What the answers amount to", has(found.outcomes), () => h("div.card", null, outcomesPart(found.outcomes))],
    ["reasons", "Every reason, by source", has(found.reasons), () => reasonsPart(found.reasons)],
    ["positions", "Where the best response stands", has(found.positions),
      () => [h("p.note", null, "Accepted answers by the position of the best response, before balancing (grey) and after (green). The dashed line is an even share. A tiny p means that the positions are not even."), positionsPart(found.positions)]],
    ["lengths", "How often the best is the longest", has(found.lengths),
      () => [h("p.note", null, "Of kept sets; the tick is the rate of chance."), h("div.card", null, lengthsPart(found.lengths))]],
    ["scores", "Which scores were given", has(found.scores) && (Array.isArray(found.scores) || has(found.scores.rows)),
      () => scoresPart(found.scores)],
    ["cost", "Models and what they cost", has(found.cost?.rows),
      () => plainTable(found.cost.head, found.cost.rows, found.cost.head.map((_, place) => place).slice(3))],
    ...(found.tables ?? []).filter((one) => one.rows.length).map((one, place) => [`table-${place}`, one.title, true,
      () => [one.note ? h("p.note", null, shown(one.note)) : null, plainTable(one.head, one.rows, one.numbers ?? [])]]),
    ...(found.sentences ?? []).filter((one) => one.lines.length).map((one, place) => [`words-${place}`, one.title, true,
      () => one.lines.map((line) => h("p", null, shown(line)))]),
    ["glossary", "What the reasons mean", has(Object.keys(found.glossary ?? {})),
      () => h("dl.glossary", null, Object.entries(found.glossary).map(([reason, words]) => [h("dt", null, shown(reason)),
      h("dd", null, shown(words))]))],
    ["recipe", "Recipe", has(found.recipe), () => fold("Show the recipe",
      longText(typeof found.recipe === "string" ? found.recipe : JSON.stringify(found.recipe, null, 1)))],
  ];
  return sections.filter(([, , isThere]) => isThere);
}

function published(rows) {
  if (!rows.length) return null;
  const chip = (one) => h("a.chip", { href: rowsAddress(one.table, one.where ?? []) },
    h("b", null, count(one.count)), ` ${one.name ?? one.table}`);
  return h("p.chips", null, h("span.soft", null, "published: "), rows.map(chip));
}

async function overviewView(route, main, signal) {
  const found = await source.overview(signal);
  const sections = overviewSections(found);
  put(main, h("div.page", null,
    h("header.title", null, h("h1", null, shown(found.title)), h("p.soft", null, shown((found.facts ?? []).join(" · ")))),
    tiles(found.tiles), attentionBox(found.attention),
    h("nav.contents", { "aria-label": "On this page" }, sections.map(([anchor, title]) => h("a", { href: address([], { at: anchor }) }, title))),
    sections.map(([anchor, title, , make]) => h("section.part", { id: `at-${anchor}` }, h("h2", { tabindex: -1 }, shown(title)), make()))));
  const scroll = ({ params }) => { const part = params.at ? $(`at-${params.at}`) : null; part?.scrollIntoView();
    part?.querySelector("h2").focus({ preventScroll: true }); };
  const step = (by) => {
    const parts = [...main.querySelectorAll(".part")];
    const now = parts.findLastIndex((part) => part.getBoundingClientRect().top < 90);
    const part = parts[Math.max(0, Math.min(parts.length - 1, now + by))];
    part?.scrollIntoView();
    part?.querySelector("h2").focus({ preventScroll: true });
  };
  requestAnimationFrame(() => scroll(route));
  return {
    title: "Overview",
    keys: [["j", "next section", () => step(1)], ["k", "section before", () => step(-1)],
      ["/", "rows, with words to seek", () => go(address(["rows", "trajectories"], { seek: "1" }))]],
    update: (next) => scroll(next),
  };
}
