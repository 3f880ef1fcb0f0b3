"use strict";
// The beginning: where the data is, which view the address names, and what is shown while it loads or fails.

const state = { opened: null, v: undefined };
const VIEWS = {
  overview: overviewView, rows: rowsView, set: setView, trajectory: trajectoryView, failures: failuresView, versions: versionsView,
  evaluation: evaluationView, review: reviewView, all: allView,
};
const THEMES = ["system", "light", "dark"];
let open = null; // the view that shows: {title, keys, update, leave}
let opening = null;
let shownRoute = null;

function sorry(fault, again) {
  return h("section.sorry", { role: "alert" }, h("h1", { tabindex: -1 }, "This cannot be shown"),
    h("p", null, shown(fault instanceof Refused ? fault.message : `The page made a mistake: ${fault.message}`)),
    h("p.actions", null, again ? button("Try again", again) : null, h("a", { href: "#/all" }, "all snapshots and evaluations")));
}

async function allView(route, main) {
  const { snapshots, evaluations, root } = state.opened;
  put(main, h("div.page", null, h("header.title", null, h("h1", { tabindex: -1 }, "Snapshots and evaluations"), h("p.soft", null, shown(root ?? ""))),
    state.opened.fault ? h("p.attention", { role: "alert" }, shown(state.opened.fault)) : null,
    snapshots.length ? snapshotList(snapshots) : h("p.soft", null, "There is no snapshot yet: grmforge build makes one."),
    evaluations.length ? h("section.part", null, h("h2", null, "Evaluations"), evaluationList(evaluations)) : null));
  return { title: "All", keys: [["j", "next", () => stepLinks(main, 1)], ["k", "before", () => stepLinks(main, -1)],
    ["Enter", "open it", () => document.activeElement.click()]] };
}

function drawTop(route) {
  const { opened } = state;
  const isEvaluation = opened.kind === "evaluation";
  const table = isEvaluation ? "items" : "trajectories";
  const views = opened.opened === null ? [["all", "All", "#/all"]] : isEvaluation
    ? [["evaluation", "Evaluation", address([])], ["rows", "Rows", address(["rows", table])], ["failures", "Failures", address(["failures"])],
      ["versions", "Versions", address(["versions"])]]
    : [["overview", "Overview", address([])], ["rows", "Rows", address(["rows", table])], ["failures", "Failures", address(["failures"])],
      ["versions", "Versions", address(["versions"])], source.isCopy ? null : ["review", "Review", address(["review"])]].filter(Boolean);
  const now = { set: "rows", trajectory: "rows", overview: isEvaluation ? "evaluation" : "overview" }[route.view] ?? route.view;
  put($("views"), views.map(([name, title, to]) => h("a", { href: to, "aria-current": name === now ? "page" : null }, title)));
  const names = [...opened.snapshots, ...opened.evaluations].map((one) => `${one.name}@${one.version}`);
  put($("pick"), [opened.opened === null ? h("option", { value: "" }, "choose..") : null,
    [["snapshots", opened.snapshots], ["evaluations", opened.evaluations]].filter(([, list]) => list.length).map(([title, list]) =>
    h("optgroup", { label: title }, list.map((one) => h("option",
      { value: `${one.name}@${one.version}`, disabled: Boolean(one.fault), selected: opened.opened === `${one.name}@${one.version}` },
      shown(`${one.name} · ${one.latest ? "latest, " : ""}${when(one.created_at)}`)))))]);
  $("picker").hidden = names.length < 1;
}

async function route() {
  const next = here();
  opening?.abort();
  if (open?.update && shownRoute && next.params.v === shownRoute.params.v && next.view === shownRoute.view && open.update(next) !== false) { shownRoute = next; return; }
  const control = new AbortController();
  opening = control;
  const slow = setTimeout(() => { $("busy").hidden = false; }, 150);
  try {
    if (state.opened === null || next.params.v !== state.v || next.view === "all") { // what is under a root changes
      state.opened = await source.opened();
      state.v = next.params.v;
    }
    if (control.signal.aborted) return;
    const isListed = state.opened.opened === null && next.view !== "all";
    const name = isListed ? "all" : state.opened.kind === "evaluation" && next.view === "overview" ? "evaluation" : next.view;
    drawTop({ ...next, view: name });
    const view = Object.hasOwn(VIEWS, name) && VIEWS[name];
    if (!view) throw new Refused(`There is no view "${next.view}". The tabs above lead to those that there are.`, 404);
    const part = h("div.view");
    const made = await view(next, part, control.signal);
    if (control.signal.aborted) { made.leave?.(); return; }
    enter(made, part, next);
  } catch (fault) {
    if (fault.name === "AbortError" || control.signal.aborted) return;
    if (!(fault instanceof Refused)) console.error(fault);
    enter({ title: "Not there", keys: [["Esc", "back", () => history.back()]] },
      h("div.view", null, sorry(fault, () => { state.opened = null; route(); })), next);
  } finally {
    clearTimeout(slow);
    if (opening === control) $("busy").hidden = true;
  }
}

function enter(made, part, next) {
  open?.leave?.();
  [open, shownRoute, viewKeys] = [made, next, made.keys ?? []];
  put($("main"), part);
  document.title = `${made.title} · ${state.opened?.opened ?? "grmforge look"}`;
  if (!document.activeElement || document.activeElement === document.body || !document.activeElement.isConnected || !$("main").contains(document.activeElement)) {
    (part.querySelector("[data-home]") ?? part.querySelector("h1[tabindex]") ?? $("main")).focus({ preventScroll: true });
  }
  if (!part.querySelector(".browse")) scrollTo(0, 0);
  made.entered?.();
}

function drawTheme() {
  const theme = document.documentElement.dataset.theme ?? "system";
  put($("theme"), { system: "◐", light: "○", dark: "●" }[theme], h("span", null, ` ${theme}`));
  $("theme").setAttribute("aria-label", `colours: ${theme}`);
}

function turnTheme(to) {
  const theme = to ?? THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % 3];
  if (theme === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  keep("grmforge theme", theme);
  drawTheme();
}

async function begin() {
  const theme = kept("grmforge theme");
  if (THEMES.includes(theme)) turnTheme(theme); else drawTheme();
  $("theme").addEventListener("click", () => turnTheme());
  $("help").addEventListener("click", showKeys);
  $("pick").addEventListener("change", () => { if ($("pick").value) go(`#/?v=${encodeURIComponent($("pick").value)}`); });
  $("dialog").addEventListener("click", (event) => { if (event.target === $("dialog")) $("dialog").close(); });
  const script = $("bundle");
  if (script) {
    source = copySource(await bundled(script));
    const { copy } = source;
    put($("copy"), "This is a copy: ", h("b", null, `${count(copy.trajectories)} of ${count(copy.of)}`), ` ${copy.rows} of `,
      h("b", null, shown(`${copy.name}@${copy.version}`)), shown(`, made ${when(copy.made_at)}. It forgets nothing by itself.`));
    $("copy").hidden = false;
  }
  addEventListener("hashchange", route);
  route();
}

begin();
