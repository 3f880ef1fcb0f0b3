"use strict";
// Answers that could not be read, the alike ones together.

async function failuresView(route, main, signal) {
  const found = await source.failures(route.params.by, signal);
  const isEvaluation = state.opened.kind === "evaluation";
  const most = Math.max(...found.groups.map((group) => group.count), 1);
  const nodes = found.groups.map((group, place) => h("section.card.group", { tabindex: -1, id: `group-${place}` },
    h("header", null, h("h2", null, shown(group.name, 160)), pill(group.outcome),
      h("span.fact", null, h("b", null, count(group.count)), ` ${percent(group.share, 1)} of them`)),
    h("div.share", { "aria-hidden": "true" }, h("i", { style: { width: percent(group.count / most, 1) } })),
    group.advice ? h("p", null, h("b", null, "What would read them: "), shown(group.advice)) : null,
    group.text ? longText(group.text) : null,
    h("p.chips", null, h("span.soft", null, "examples: "), group.examples.slice(0,
      8).map((id) => h("a.chip", { href: isEvaluation && source.isCopy ? address(["rows", "judgements"],
      { row: String(id) }) : address(["trajectory", String(id)]) }, short(id))),
      group.outcome ? h("a.chip", { href: rowsAddress(isEvaluation ? "judgements" : "trajectories", [["outcome", "is", group.outcome]]) },
        `all ${group.outcome.replaceAll("_", " ")}`) : null)));
  put(main, h("div.page", null, h("header.title", null, h("h1", { tabindex: -1 }, "Failures together"),
    h("p.soft", null, `${plural(found.total ?? found.groups.reduce((sum, group) => sum + group.count, 0), "unreadable answer")}, grouped by ${found.by}${found.grouped < found.total ? `; a sample of ${count(found.grouped)} of them` : ""}. The largest groups first; # stands for any number.`),
    (source.isCopy ? [] : found.ways ?? []).filter((by) => by !== found.by).map((by) => h("a.chip", { href: address(["failures"], { by }) },
      by === "embedding" ? "group by meaning (takes a while)" : `group by ${by}`))),
    nodes.length ? nodes : h("p.fine", null, "There is no answer that could not be read.")));
  let at = -1;
  const move = (by) => { at = Math.max(0, Math.min(nodes.length - 1, at + by)); nodes[at]?.focus(); nodes[at]?.scrollIntoView({ block: "nearest" });
    };
  return { title: "Failures", keys: [["j", "next group", () => move(1)], ["k", "group before", () => move(-1)],
    ["Enter", "open the first example", () => { nodes[Math.max(0, at)]?.querySelector("a.chip")?.click(); }]],
  entered: () => { for (const text of main.querySelectorAll(".text")) text.scrollTop = text.scrollHeight; } }; // where a verdict should stand
}
