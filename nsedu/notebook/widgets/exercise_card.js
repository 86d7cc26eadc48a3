// An exercise: task, lamp, what the check found, hints one by one, a solution, the time, a terminal.

import { copyText, h, openTerminal, watch } from "./shared.js";

const SILENCE = 25_000; // ms; Python asks every 8 s whether a card is seen, unless it was killed

function render({ model, el }) {
  const get = (name) => model.get(name);
  const press = (name) => () => model.send({ press: name });

  const view = Math.random().toString(36).slice(2);
  const there = (is) => {
    try {
      model.send({ view, there: is });
    } catch {
      // The kernel has ended.
    }
  };
  const leave = () => there(false);

  const lamp = h("span", { class: "nsedu-lamp", "aria-hidden": "true" });
  const word = h("strong");
  const found = h("span");
  const status = h("div", { class: "nsedu-status", role: "status" }, lamp, word, found);
  const hints = h("ol", { class: "nsedu-hints", "aria-label": "hints", "aria-live": "polite" });
  const hint = h("button", { type: "button", onclick: press("hint") });
  const code = h("pre");
  const copy = h("button", { type: "button", onclick: () => copyText(code.textContent, copy) }, "Copy");
  const way = h("div", { class: "nsedu-solution", "aria-live": "polite" }, code, copy);
  const solution = h("button", { type: "button", onclick: press("solution") }, "Show a solution");
  const again = h("button", { type: "button", onclick: press("again") }, "Begin anew");
  const demo = h("p", { class: "nsedu-demo" }, "This one shows how exercises work; it does not count as solved.");
  const clock = h("span", { class: "nsedu-clock", role: "timer", "aria-label": "time taken" });
  const card = h("div", {
    class: "nsedu nsedu-card nsedu-exercise", role: "group",
    "aria-label": `Exercise ${get("label")}: ${get("title")}`,
  },
    h("div", { class: "nsedu-title" }, h("code", {}, get("label")), h("strong", {}, get("title"))),
    h("p", {}, get("task")), demo, status, hints, way,
    h("div", { class: "nsedu-tools" }, hint, solution, openTerminal(get("directory")), again, clock));

  let timer = null, heard = 0;
  const tick = () => {
    if (Date.now() - heard > SILENCE) stop();
    const past = get("solved") ? get("seconds") : (Date.now() - get("began")) / 1000;
    const seconds = Math.max(0, Math.floor(past));
    const two = (number) => String(number).padStart(2, "0");
    clock.textContent = `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
  };
  const run = () => { // somebody looks, and the kernel lives
    heard = Date.now();
    if (!get("solved")) timer = timer ?? setInterval(tick, 1000);
  };
  const hear = (message) => message.ask && run();
  const update = () => {
    const solved = get("solved"), open = get("hints"), count = get("count");
    card.classList.toggle("solved", solved);
    lamp.textContent = solved ? "✔" : "";
    word.textContent = solved ? "solved" : "not yet";
    const before = get("before") && !get("found") ? `you solved this one before, on ${get("before")}.` : "";
    found.textContent = get("found") || before;
    while (hints.children.length > open.length) hints.lastChild.remove();
    for (const text of open.slice(hints.children.length)) hints.append(h("li", {}, text));
    hint.textContent = open.length < count ? `Hint ${open.length + 1} of ${count}` : "No more hints";
    hint.disabled = open.length >= count;
    code.textContent = get("solution");
    way.hidden = !get("solution");
    solution.hidden = Boolean(get("solution"));
    again.hidden = !solved;
    demo.hidden = !get("demo");
    tick();
    if (solved) stop();
    else run();
  };
  const traits = ["hints", "solution", "found", "solved", "began", "seconds", "demo"];
  for (const trait of traits) model.on(`change:${trait}`, update);
  const end = () => { // the kernel has ended: nobody would hear of a press
    stop();
    hint.disabled = solution.disabled = again.disabled = true;
  };
  model.on("comm_live_update", end);
  model.on("msg:custom", hear);
  el.append(card);
  there(true);
  window.addEventListener("pagehide", leave);
  update();
  const unwatch = watch(model, card, run);
  return () => {
    stop();
    unwatch();
    leave();
    window.removeEventListener("pagehide", leave);
    for (const trait of traits) model.off(`change:${trait}`, update);
    model.off("comm_live_update", end);
    model.off("msg:custom", hear);
  };
}

export default { render };
