// An exercise: task, lamp, what the check found, hints one by one, the time, and a terminal.

const SILENCE = 25_000; // ms; Python asks every 8 s whether a card is seen, unless it was killed

function render({ model, el }) {
  const get = (name) => model.get(name);
  const press = (name) => () => model.send({ press: name });

  const lamp = h("span", { class: "nsedu-lamp", "aria-hidden": "true" });
  const word = h("strong");
  const found = h("span");
  const status = h("div", { class: "nsedu-status", role: "status" }, lamp, word, found);
  const hints = h("ol", { class: "nsedu-hints", "aria-label": "hints", "aria-live": "polite" });
  const hint = h("button", { type: "button", onclick: press("hint") });
  const again = h("button", { type: "button", onclick: press("again") }, "Begin anew");
  const clock = h("span", { class: "nsedu-clock", role: "timer", "aria-label": "time taken" });
  const card = h("div", {
    class: "nsedu nsedu-card nsedu-exercise", role: "group",
    "aria-label": `Exercise ${get("label")}: ${get("title")}`,
  },
    h("div", { class: "nsedu-title" }, h("code", {}, get("label")), h("strong", {}, get("title"))),
    h("p", {}, get("task")), status, hints,
    h("div", { class: "nsedu-tools" }, hint, openTerminal(get("directory")), again, clock));

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
    again.hidden = !solved;
    tick();
    if (solved) stop();
    else run();
  };
  const traits = ["hints", "found", "solved", "began", "seconds"];
  for (const trait of traits) model.on(`change:${trait}`, update);
  const end = () => { // the kernel has ended: nobody would hear of a press
    stop();
    hint.disabled = again.disabled = true;
  };
  model.on("comm_live_update", end);
  model.on("msg:custom", hear);
  el.append(card);
  update();
  const unwatch = watch(model, card, run);
  return () => {
    stop();
    unwatch();
    for (const trait of traits) model.off(`change:${trait}`, update);
    model.off("comm_live_update", end);
    model.off("msg:custom", hear);
  };
}

export default { render };
