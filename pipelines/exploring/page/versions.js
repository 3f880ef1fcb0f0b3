"use strict";
// The versions of a snapshot, and what changed between two of them, down to the row.

const PER_PAGE = 200;

async function versionsView(route, main, signal) {
  const { versions } = await source.versions(signal);
  const pair = route.path[1]?.split("..");
  const whole = versions.filter((one) => !one.fault).map((one) => ({ ...one, id: `${one.name}@${one.version}` }));
  const [old, now] = pair?.length === 2 ? pair : [whole[1]?.id, whole[0]?.id];
  const names = whole.map((one) => [one.id, `${one.version}${one.latest ? " (latest)" : ""}`]);
  const to = (from, until) => go(address(["versions", `${from}..${until}`]));
  const holder = h("div");
  put(main, h("div.page.wide", null, h("header.title", null, h("h1", { tabindex: -1 }, "Versions")),
    (state.opened.kind === "evaluation" ? evaluationList : snapshotList)(versions),
    whole.length > 1 || pair ? h("section.part", null, h("h2", null, "What changed"),
      h("p.fields", null, "from", select(names, old, (value) => to(value, now), "older version"), "to",
      select(names, now, (value) => to(old, value), "newer version")), holder) : h("p.soft", null,
      "There is one version: nothing to compare it with.")));
  if (old && now && old !== now) await changesPart(holder, old, now, route.params.kind ?? "", signal);
  else if (old) put(holder, h("p.soft", null, "These are the same version."));
  return { title: "Versions", keys: [["j", "next change", () => stepLinks(holder, 1)], ["k", "change before", () => stepLinks(holder, -1)]] };
}

// Snapshots as a table; one that cannot be read says why.
function snapshotList(all) {
  return versionTable(all, ["snapshot", "made", "sets", "accepted", "rejected"], [2, 3, 4],
    (one) => [when(one.created_at), count(one.sets), count(one.accepted), count(one.rejected)]);
}

function versionTable(all, head, numbers, cells) {
  return plainTable(head, all.map((one) => {
    const id = `${one.name}@${one.version}`;
    if (one.fault) return [h("span.soft", null, shown(id)), h("span.bad", null, shown(one.fault)), ...head.slice(2).map(() => "–")];
    return [[h("a", { href: address([], { v: id }) }, shown(id)), " ", one.latest ? pill("latest") : ""], ...cells(one)];
  }), numbers);
}

function when(time) {
  return time ? String(time).slice(0, 16).replace("T", " ") : "–";
}

function stepLinks(holder, by) {
  const links = [...holder.querySelectorAll("tbody a")];
  links[Math.max(0, Math.min(links.length - 1, links.indexOf(document.activeElement) + by))]?.focus();
}

async function changesPart(holder, old, now, kind, signal) {
  put(holder, h("p.soft", null, "comparing…"));
  const found = await source.changes(old, now, kind, 0, PER_PAGE, signal);
  const rowOf = (row) => changeRow(row, row.kind === "removed" ? old : now);
  const body = h("tbody", null, found.rows.map(rowOf));
  const more = button("", async () => {
    const next = await source.changes(old, now, kind, body.childElementCount, PER_PAGE, signal);
    body.append(...next.rows.map(rowOf));
    named();
  });
  const named = () => { more.hidden = body.childElementCount >= found.total;
    more.textContent = `show more: ${count(found.total - body.childElementCount)} of ${count(found.total)} are left`; };
  named();
  const kinds = [["", "all"], ...["added", "removed", "changed"].map((one) => [one,
    found.counts ? `${one}: ${count(found.counts[one] ?? 0)}` : one])];
  put(holder, h("div.card", null, h("pre.lines", null, shown((found.summary ?? []).join("\n")))),
    h("p.chips", null, kinds.map(([one, title]) => h("a.chip", { href: address(["versions", `${old}..${now}`], { kind: one }),
      "aria-current": one === kind ? "true" : null }, title))),
    found.rows.length ? h("div.scrolls", { tabindex: 0 }, h("table", null,
      h("thead", null, h("tr", null, ["", "table", "row", "what", "before", "now"].map((word) => h("th", { scope: "col" }, word)))),
      body)) : h("p.soft", null, "No row is different."), more);
}

// A changed row, with the way to it in the version that has it.
function changeRow(row, version) {
  const view = { trajectories: "trajectory", sets: "set" }[row.table];
  const by = { rft: "example_id", items: "item_id", judgements: "request_id" }[row.table];
  const v = source.isCopy ? undefined : version;
  const to = view ? address([view, row.id], { v }) : rowsAddress(row.table, [[by, "is", row.id]], { v });
  const id = source.isCopy && row.kind === "removed" ? h("span.mono", null, shown(row.id, 16)) : h("a", { href: to }, shown(row.id, 16));
  return h("tr", null, h("td", null, pill(row.kind)), h("td", null, shown(row.table)), h("td", null, id), h("td", null, shown(row.what ?? "", 200)),
    h("td", null, shown(plainValue(row.old), 300)), h("td", null, shown(plainValue(row.new), 300)));
}

function plainValue(value) {
  return value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
}
