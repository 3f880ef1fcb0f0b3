"use strict";
// Small charts, made element by element. Colour never says anything alone: each part has its words.

// Parts of a whole, side by side: [{name, count, kind, href, title}].
function stackedBar(parts, label) {
  const here = parts.filter((part) => part.count > 0);
  const total = here.reduce((sum, part) => sum + part.count, 0);
  return h("div.stack", { role: "group", "aria-label": label }, here.map((part) => h(part.href ? `a.seg.${part.kind}` : `span.seg.${part.kind}`, {
    href: part.href, style: { "flex-grow": String(part.count) }, title: `${part.name}: ${count(part.count)} (${percent(part.count / total, 1)})`,
    "aria-label": `${part.name}: ${count(part.count)}`,
  })));
}

function legendOf(parts) {
  return h("ul.legend", null, parts.filter((part) => part.count > 0).map((part) => h("li", null,
    h(`i.swatch.${part.kind}`, { "aria-hidden": "true" }),
    part.href ? h("a", { href: part.href }, h("b", null, count(part.count)), " ", shown(part.name, 60)) : [h("b", null, count(part.count)), " ",
      shown(part.name, 60)])));
}

// A share as a bar, with a tick where chance stands.
function shareBar(share, tick, label) {
  return h("div.share", { role: "img", "aria-label": label, title: label }, h("i", { style: { width: percent(Math.min(1, share), 1) } }),
    tick === null || tick === undefined ? null : h("b", { style: { left: percent(tick, 1) } }));
}

// Pairs of columns, before and after, by place; the dashed line is an even share.
function pairedColumns(before, after, label) {
  const [wide, high, base] = [34, 76, 92];
  const sums = [before, after].map((counts) => counts.reduce((sum, one) => sum + one, 0) || 1);
  const shares = [before, after].map((counts, side) => counts.map((one) => one / sums[side]));
  const highest = Math.max(...shares.flat(), 1 / before.length);
  const width = before.length * wide;
  const even = high - high / before.length / highest;
  const bars = before.map((_, place) => ["before", "after"].map((kind, side) => {
    const tall = (shares[side][place] / highest) * high;
    return svg(`rect.${kind}`, { x: place * wide + 5 + side * 12, y: high - tall, width: 11, height: Math.max(tall, 0.5), rx: 1.5 },
      svg("title", null, `${kind}, position ${place + 1}: ${count([before, after][side][place])} (${percent(shares[side][place])})`));
  }));
  return svg("svg.columns", { viewBox: `0 0 ${width} ${base + 4}`, role: "img", "aria-label": label, width, height: base + 4 }, bars,
    before.map((_, place) => svg("text", { x: place * wide + 17, y: base, "text-anchor": "middle" }, String(place + 1))),
    svg("line.even", { x1: 0, x2: width, y1: even, y2: even }));
}

const STROKES = ["", "7 4", "2 4", "9 3 2 3", "12 4", "4 2"];

// Lines over k with their intervals as bands: curves = [{name, points: [{k, value, low, high}]}].
function curveChart(curves, label) {
  const holder = h("figure.curves");
  const paint = (width) => {
    const [left, right, above, below, high] = [46, Math.min(170, width * 0.3), 14, 34, 280];
    const all = curves.flatMap((curve) => curve.points);
    const values = all.flatMap((point) => [point.value, point.low ?? point.value, point.high ?? point.value]);
    const spread = Math.max(...values) - Math.min(...values);
    const pace = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((one) => spread / one <= 6) ?? 0.25;
    const [least, most] = [Math.max(0, Math.floor(Math.min(...values) / pace) * pace), Math.ceil(Math.max(...values) / pace - 1e-9) * pace || 1];
    const kMost = Math.max(...all.map((point) => point.k), 2);
    const x = (k) => left + (Math.log2(k) / Math.log2(kMost)) * (width - left - right);
    const y = (value) => above + (1 - (value - least) / (most - least || 1)) * (high - above - below);
    const steps = Array.from({ length: Math.round((most - least) / pace) + 1 }, (_, place) => least + place * pace);
    const ks = [...new Set(all.map((point) => point.k))].sort((a, b) => a - b);
    const ends = curves.map((curve, place) => ({ place, y: y(curve.points.at(-1).value) })).sort((a, b) => a.y - b.y);
    ends.forEach((end, place) => { if (place) end.y = Math.max(end.y, ends[place - 1].y + 15); });
    const heights = new Map(ends.map((end) => [end.place, end.y]));
    put(holder, svg("svg", { width, height: high, viewBox: `0 0 ${width} ${high}`, role: "img", "aria-label": label },
      steps.map((value) => [svg("line.grid", { x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, percent(value))]),
      ks.filter((k) => ks.length < 8 || Math.log2(k) % 1 === 0).map((k) => svg("text", { x: x(k), y: high - below + 18, "text-anchor": "middle" },
        String(k))),
      svg("text", { x: (left + width - right) / 2, y: high - 2, "text-anchor": "middle" }, "samples of each prompt"),
      curves.map((curve, place) => curveParts(curve, place, x, y, heights.get(place), width - right))));
  };
  measured(holder, paint);
  return holder;
}

function curveParts(curve, place, x, y, labelY, end) {
  const banded = curve.points.filter((point) => point.low !== null && point.high !== null);
  const ring = [...banded.map((point) => [x(point.k), y(point.high)]), ...banded.toReversed().map((point) => [x(point.k), y(point.low)])];
  const line = curve.points.map((point) => `${x(point.k).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ");
  return svg(`g.curve.line-${place % 6}`, null,
    banded.length > 1 ? svg("polygon", { points: ring.map((pair) => pair.map((one) => one.toFixed(1)).join(",")).join(" ") }) : null,
    svg("polyline", { points: line, "stroke-dasharray": STROKES[place % 6] }),
    curve.points.map((point) => svg("circle", { cx: x(point.k), cy: y(point.value), r: 3 },
      svg("title", null, `${curve.name}, k = ${point.k}: ${withEnds(point)}`))),
    svg("text", { x: end + 8, y: labelY + 4 }, curve.name.length > 24 ? `${curve.name.slice(0, 23)}…` : curve.name));
}

function withEnds(point) {
  const value = percent(point.value, 1);
  return point.low === null || point.low === undefined ? value : `${value} (${(100 * point.low).toFixed(1)} to ${percent(point.high, 1)})`;
}

// Paint once the width is known, and again where it changes.
function measured(holder, paint) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(holder.clientWidth);
    if (now > 0 && now !== width) { width = now; paint(now); }
  }).observe(holder);
}
