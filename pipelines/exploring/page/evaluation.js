"use strict";
// An evaluation: curves with their intervals, figures, claims, and the way to its items and judgements.

const FIRST_CURVES = ["voting", "pass", "agreement k/2", "meta_rm k/2"];

function curvesOf(figures, figure) {
  const rows = figures.filter((row) => row.figure === figure && row.curve === "all" && !row.selector.startsWith("gain"));
  return grouped(rows, "selector").map((points) => ({ name: points[0].selector, points: points.toSorted((a, b) => a.k - b.k) }));
}

// The curves of a benchmark: which figure, and which ways to choose samples, as the person ticks them.
function curvesCard(figures, benchmark) {
  const own = figures.filter((row) => row.benchmark === benchmark.name);
  const names = [...new Set(own.map((row) => row.figure))].sort((a,
    b) => Number(b === "total") - Number(a === "total") || Number(b === "accuracy") - Number(a === "accuracy") || (a < b ? -1 : 1));
  if (!names.length) return h("p.soft", null, "No figures.");
  let [figureName, ticked] = [names[0], null];
  const [chart, boxes, marks] = [h("div"), h("div.boxes.inline"), h("p.soft")];
  const draw = () => {
    const curves = curvesOf(own, figureName);
    const lines = curves.filter((curve) => curve.points.length > 1);
    ticked ??= new Set(lines.filter((curve) => FIRST_CURVES.includes(curve.name)).map((curve) => curve.name));
    if (!lines.some((curve) => ticked.has(curve.name)) && lines.length) ticked.add(lines[0].name);
    put(boxes, lines.map((curve) => h("label", null, h("input",
      { type: "checkbox", checked: ticked.has(curve.name), onchange: (event) => { if (event.target.checked) ticked.add(curve.name);
      else ticked.delete(curve.name); draw(); } }), " ", shown(curve.name))));
    const chosen = lines.filter((curve) => ticked.has(curve.name));
    put(chart, chosen.length ? [curveChart(chosen, `${benchmark.name}, ${figureName}`),
      fold("The same as a table", plainTable(["selector", ...new Set(chosen.flatMap((curve) => curve.points.map((point) => `k = ${point.k}`)))],
      curveRows(chosen)))] : lines.length ? h("p.soft", null, "Tick a curve.") : null);
    put(marks, curves.filter((curve) => curve.points.length === 1).map((curve) => `${curve.name} ${withEnds(curve.points[0])}`).join(" · "));
  };
  draw();
  return h("section.card", null, h("h2", null, shown(benchmark.name),
    h("span.soft", null, ` ${benchmark.protocol ?? ""} · ${plural(benchmark.items, "item")}`)),
    h("p.fields", null, "figure", select(names.map((name) => [name, name]), figureName, (name) => { figureName = name; draw(); }, "figure")), chart,
      boxes, marks,
    benchmark.outcomes ? [h("h3", null, "Its judgements"), outcomesOf(benchmark)] : null,
    h("h3", null, "Every figure"), figuresTable(own, names),
    h("p.chips", null, h("a.chip", { href: rowsAddress("items", [["benchmark", "is", benchmark.name]]) }, "its items"),
      h("a.chip", { href: rowsAddress("items", [["benchmark", "is", benchmark.name], ["right_at_max", "lt", 0.5]]) },
      "items that the vote gets wrong"), state.opened.tables.judgements
        ? h("a.chip", { href: rowsAddress("judgements", [["benchmark", "is", benchmark.name]]) }, "its judgements") : null));
}

function curveRows(curves) {
  const ks = [...new Set(curves.flatMap((curve) => curve.points.map((point) => point.k)))];
  return curves.map((curve) => [curve.name,
    ...ks.map((k) => { const point = curve.points.find((one) => one.k === k); return point ? withEnds(point) : "–"; })]);
}

function outcomesOf(benchmark) {
  const parts = Object.entries(benchmark.outcomes).map(([name, number]) => ({ name, count: number, kind: WORDS_OF_KIND[name] ?? "other",
    href: state.opened.tables.judgements ? rowsAddress("judgements", [["benchmark", "is", benchmark.name], ["outcome", "is", name]]) : null }));
  return [stackedBar(parts, `judgements of ${benchmark.name}`), legendOf(parts)];
}

function figuresTable(own, names) {
  const voting = own.filter((row) => row.selector === "voting" && row.curve === "all");
  const most = Math.max(...voting.map((row) => row.k), 1);
  const half = Math.max(1, Math.floor(most / 2));
  const of = (figure, selector, k) => own.find((row) => row.figure === figure && row.selector === selector && row.k === k && row.curve === "all");
  const votes = [...new Set([half, most])].filter((k) => k > 1);
  const columns = [["1 sample", "voting", 1], ...votes.map((k) => [`vote of ${k}`, "voting", k]), ["greedy", "greedy", 1]];
  return plainTable(["figure", ...columns.map(([title]) => title), "items"],
    names.map((name) => [name, ...columns.map(([, selector, k]) => { const row = of(name, selector, k); return row ? withEnds(row) : "–"; }),
    count(of(name, "voting", 1)?.items)]), [1, 2, 3, 4, 5].slice(0, columns.length + 1));
}

async function evaluationView(route, main, signal) {
  if (state.opened.kind !== "evaluation") {
    const all = state.opened.evaluations;
    put(main, h("div.page", null, h("header.title", null, h("h1", null, "Evaluations")),
      all.length ? evaluationList(all) : h("p.soft", null, "There is no evaluation under this root: grmforge evaluate makes one.")));
    return { title: "Evaluations", keys: [] };
  }
  const found = await source.evaluation(signal);
  put(main, h("div.page", null, h("header.title", null, h("h1", { tabindex: -1 }, shown(found.title)),
    h("p.soft", null, shown((found.facts ?? []).join(" · ")))),
    tiles(found.tiles), attentionBox(found.attention), found.claims?.length ? card("Claims",
      h("ul", null, found.claims.map((line) => h("li", null, shown(line))))) : null,
    h("div.cards", null, found.benchmarks.map((benchmark) => curvesCard(found.figures, benchmark)))));
  const step = (by) => { const all = [...main.querySelectorAll("section.card")];
    const at = all.findLastIndex((one) => one.getBoundingClientRect().top < 90);
    all[Math.max(0, Math.min(all.length - 1, at + by))]?.scrollIntoView(); };
  return { title: "Evaluation", keys: [["j", "next benchmark", () => step(1)], ["k", "benchmark before", () => step(-1)],
    ["Enter", "its items", () => go(address(["rows", "items"]))]] };
}

function evaluationList(all) {
  return versionTable(all, ["evaluation", "made", "judge", "benchmarks", "items"], [4],
    (one) => [when(one.created_at), one.judge ?? "–", (one.benchmarks ?? []).join(", "), count(one.items)]);
}
