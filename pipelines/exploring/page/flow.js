"use strict";
// The funnel as a flow: sources at the left, what became of their rows at the right, a ribbon for each way between.

const KINDS = ["kept", "accepted", "left", "lost"]; // in this order, from above

function flow(band) {
  const holder = h("figure.flow");
  const links = band.links.filter((link) => link.count > 0);
  measured(holder, (width) => put(holder, links.length ? flowChart(band, links, width) : h("p.soft", null, "Nothing here.")));
  return h("div.band", null, h("h3", null, shown(band.title), h("span.soft", null, ` ${band.unit}`)), holder, flowTable(links));
}

function sums(links, end) {
  const found = new Map();
  for (const link of links) {
    const known = found.get(link[end]) ?? { name: link[end], kind: link.kind, count: 0, meaning: link.meaning, links: [] };
    known.count += link.count;
    known.links.push(link);
    found.set(link[end], known);
  }
  return [...found.values()];
}

function flowChart(band, links, width) {
  const left = sums(links, "from");
  const right = sums(links, "to").sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || b.count - a.count);
  const isNarrow = width < 520;
  const [leftRoom, rightRoom, bar] = isNarrow ? [96, 126, 6] : [Math.min(190, width * 0.22), Math.min(250, width * 0.3), 8];
  const total = links.reduce((sum, link) => sum + link.count, 0);
  const scale = Math.max(120, Math.min(360, 26 * Math.max(left.length, right.length))) / total;
  const tall = [left, right].map((nodes) => placed(nodes, scale));
  const height = Math.max(...tall) + 8;
  const [x1, x2] = [leftRoom + bar, width - rightRoom - bar];
  const rank = new Map(right.map((node, place) => [node.name, place]));
  const bySource = new Map(left.map((node) => [node.name, { node, filled: 0 }]));
  const byEnd = new Map(right.map((node) => [node.name, { node, filled: 0 }]));
  const ribbons = left.flatMap((node) => node.links.toSorted((a, b) => rank.get(a.to) - rank.get(b.to)).map((link) => {
    const thick = Math.max(1.5, link.count * scale);
    const [from, to] = [bySource.get(link.from), byEnd.get(link.to)];
    const [y1, y2] = [from.node.y + from.filled, to.node.y + to.filled];
    from.filled += link.count * scale;
    to.filled += link.count * scale;
    return ribbon(link, band.unit, x1, y1, x2, y2, thick, node.count);
  }));
  const letters = (room) => Math.max(6, Math.floor((room - 12) / 6.8));
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `${band.title}: ${left.map((node) => `${node.name} ${count(node.count)}`).join(", ")}` },
    ribbons,
    left.map((node) => [svg("rect.node", { x: leftRoom, y: node.y, width: bar, height: Math.max(1.5, node.count * scale), rx: 2 }),
      nodeWords(node, leftRoom - 8, "end", letters(leftRoom))]),
    right.map((node) => [svg(`rect.node.${node.kind}`, { x: x2, y: node.y, width: bar, height: Math.max(1.5, node.count * scale), rx: 2 }),
      nodeWords(node, x2 + bar + 8, "start", letters(rightRoom), endAddress(node))]));
}

// Place nodes one below the other, and return how far they reach. A label needs a line, however thin its node is.
function placed(nodes, scale) {
  let y = 4;
  for (const node of nodes) {
    node.slot = Math.max(node.count * scale, 19);
    node.y = y;
    y += node.slot + 5;
  }
  return y;
}

function nodeWords(node, x, anchor, letters, href) {
  const number = count(node.count);
  const name = node.name.replaceAll("_", " ");
  const room = Math.max(3, letters - number.length - 1);
  const text = svg("text", { x, y: node.y + Math.min(node.slot, 19) / 2 + 4.5, "text-anchor": anchor },
    svg("title", null, [node.name, node.meaning].filter(Boolean).join(": ")),
    svg("tspan", null, `${name.length > room ? `${name.slice(0, room - 1)}…` : name} `), svg("tspan.strong", null, number));
  return href ? svg("a", { href }, text) : text;
}

// All rows of an end, of every source.
function endAddress(node) {
  const { table, where } = node.links[0];
  return table ? rowsAddress(table, where.filter(([column]) => column !== "source")) : null;
}

function ribbon(link, unit, x1, y1, x2, y2, thick, whole) {
  const middle = (x1 + x2) / 2;
  const path = `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2} L${x2},${y2 + thick} C${middle},${y2 + thick} ${middle},${y1 + thick} ${x1},${y1 + thick} Z`;
  const words = `${link.from} → ${link.to.replaceAll("_", " ")}: ${count(link.count)} ${unit}, ${percent(link.count / whole, 1)} of ${link.from}${link.meaning ? `. ${link.meaning}` : ""}`;
  const shape = svg(`path.ribbon.${link.kind}`, { d: path }, svg("title", null, words));
  return link.table ? svg("a", { href: rowsAddress(link.table, link.where), "aria-label": words }, shape) : shape;
}

function flowTable(links) {
  const rows = links.map((link) => [link.from, link.table ? h("a", { href: rowsAddress(link.table, link.where) },
    shown(link.to.replaceAll("_", " "))) : link.to.replaceAll("_", " "), count(link.count), link.meaning ?? ""]);
  return links.length ? fold("The same as a table", plainTable(["source", "what became of them", "rows", "which means"], rows, [2])) : null;
}
