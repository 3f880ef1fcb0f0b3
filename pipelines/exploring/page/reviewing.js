"use strict";
// Labels looked at by a person, by keyboard alone: the page of pipelines/reviews, on the running explorer. What was
// answered stays in the browser until it is stored, under a key for each set, so that two tabs never overwrite each other.

function kept(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function keep(key, value) {
  try { localStorage.setItem(key, value); } catch { notice("This browser keeps no answers: store them (s) before you leave."); }
}

function choicesOfItem(item) {
  return item.responses.length === 1 ? ["right", "wrong", "cannot_tell"] : [...item.responses.map((_, position) => position + 1), "tie",
    "cannot_tell"];
}

function choiceWords(choice) {
  return typeof choice === "number" ? `response ${choice}` : choice.replace("_", " ");
}

// The answers of a draw, as the browser keeps them.
function reviewAnswers(draw) {
  const prefix = `grmforge review/${draw.draw_id}/${draw.page}/`;
  const answers = new Map();
  const read = (item) => {
    try {
      const answer = JSON.parse(kept(prefix + item.set_id) ?? "null");
      if (answer && typeof answer.at === "string" && (answer.choice === null || choicesOfItem(item).includes(answer.choice))) answers.set(item.set_id,
        answer);
    } catch { /* not ours */ }
  };
  draw.items.forEach(read);
  return {
    of: (item) => answers.get(item.set_id)?.choice ?? null,
    choose(item, choice) {
      read(item); // another tab may have answered since
      const known = answers.get(item.set_id);
      const at = new Date(Math.max(Date.now(), known ? Date.parse(known.at) + 1 : 0)).toISOString();
      answers.set(item.set_id, { choice, at, after_label: known !== undefined });
      keep(prefix + item.set_id, JSON.stringify(answers.get(item.set_id)));
    },
    file(reviewer) {
      const browser = kept("grmforge browser") ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16)).join("");
      keep("grmforge browser", browser);
      const given = draw.items.map((item) => {
        const answer = answers.get(item.set_id);
        const isAnswered = (answer?.choice ?? null) !== null;
        const { set_id, order, stratum, stratum_size, weight } = item;
        return { set_id, order, stratum, stratum_size, weight, choice: answer?.choice ?? null, at: isAnswered ? answer.at : null,
          after_label: isAnswered && answer.after_label };
      });
      const { items: _, ...head } = draw;
      return { ...head, reviewer, browser, saved_at: new Date().toISOString(), answers: given };
    },
  };
}

async function reviewView(route, main, signal) {
  const { draw } = await source.review({ n: route.params.n ?? "100", source: route.params.source }, signal);
  const [items, answers, history] = [draw.items, reviewAnswers(draw), []];
  let place = Math.max(0, items.findIndex((item) => answers.of(item) === null));
  const [progress, counted, body, buttons] = [h("progress", { max: 1, value: 0, "aria-label": "answered" }),
    h("span", { id: "count", role: "status" }), h("div", { id: "item", tabindex: -1, "data-home": true }), h("div", { id: "choices" })];
  const name = h("input", { id: "name", maxlength: 100, autocomplete: "off", placeholder: "n", value: kept("grmforge reviewer") ?? "",
    oninput: () => keep("grmforge reviewer", name.value) });
  const done = () => items.filter((item) => answers.of(item) !== null).length;

  function draw_() {
    const item = items[place];
    progress.value = items.length ? done() / items.length : 0;
    put(counted, items.length ? `set ${place + 1} of ${items.length} · ${done()} answered${done() === items.length ? " · all done: s stores" : ""}` : "There is nothing to review.");
    if (!item) return;
    const chosen = answers.of(item);
    const isSingle = item.responses.length === 1;
    put(body, card("The question", item.question.map(([role, text]) => [role ? h("h4", null, shown(role)) : null, longText(text)])),
      h("div.responses", null, item.responses.map((text, position) => {
        const isLabel = chosen !== null && item.after.label === position + 1;
        return h(`section.card.response${isLabel ? ".best" : ""}${chosen === position + 1 ? ".chosen" : ""}`, null,
          h("header", null, h("h3", null, isSingle ? "The response" : `Response ${position + 1}`),
          isLabel ? h("span.pill.good", null, "the label") : null), longText(text));
      })),
      chosen === null ? null : h("section.card.reveal", { id: "reveal" }, h("h2", null, "After your choice"), factList(item.after.facts),
        h("p", null, h("a", { href: address(["set", item.set_id]) }, "look at the set and its judgements"))));
    const keys = isSingle ? [["right", "1"], ["wrong", "2"]] : item.responses.map((_, at) => [at + 1, at < 9 ? `${at + 1}` : ""]);
    if (!isSingle) keys.push(["tie", "t"]);
    keys.push(["cannot_tell", "c"]);
    put(buttons, keys.slice(0, 60).map(([choice, key]) => keyed(key, choiceWords(choice), () => choose(choice),
      { "aria-pressed": String(chosen === choice), "data-choice": choice })));
  }
  function choose(choice) {
    const item = items[place];
    if (!item || !choicesOfItem(item).includes(choice) || answers.of(item) === choice) return;
    history.push([place, answers.of(item)]);
    answers.choose(item, choice);
    draw_();
  }
  function undo() {
    const [at, before] = history.pop() ?? [place, null];
    if (!items[at] || answers.of(items[at]) === before) return;
    place = at;
    answers.choose(items[at], before);
    draw_();
  }
  function go_(to) {
    place = Math.max(0, Math.min(items.length - 1, to));
    draw_();
    main.scrollTo?.(0, 0);
    body.focus({ preventScroll: true });
  }
  async function store() {
    try {
      const found = await source.store(answers.file(name.value.trim()));
      notice((found.sentences ?? []).join(" ") || `Stored: ${plural(found.reviews, "new review")}, ${count(found.known)} known already.`);
    } catch (fault) { notice(fault.message); }
  }
  const digit = (key) => { const number = Number(key); choose(items[place]?.responses.length === 1 ? ["right", "wrong"][number - 1] : number); };
  const open = () => { const at = items.findIndex((item) => answers.of(item) === null); if (at >= 0) go_(at); };
  put(main, h("div.review", null, h("header.title", null, h("h1", { tabindex: -1 }, "Review"), progress, counted,
    h("label", null, "Your name ", name), keyed("s", "store the answers", store)), body,
    h("footer", null, buttons, h("div", null, keyed("k", "previous", () => go_(place - 1)), " ", keyed("j", "next", () => go_(place + 1)), " ",
      keyed("u", "undo", undo)))));
  draw_();
  return {
    title: "Review",
    keys: [
      ["1 2 3 4 5 6 7 8 9", "this response is best; of a single one, 1: right, 2: wrong", digit],
        ["t", "tie: no response is better than all others", () => choose("tie")], ["c", "cannot tell", () => choose("cannot_tell")],
      ["j", "next set", () => go_(place + 1)], ["k", "previous set", () => go_(place - 1)], ["f", "first set without an answer", open],
        ["u", "undo the last answer", undo], ["n", "your name", () => name.focus()], ["s", "store the answers under the root", store],
    ],
  };
}
