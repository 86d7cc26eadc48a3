// An exercise: task, lamp, what the check found, hints, a solution, the time, a terminal.

import {
  button, copyText, decoration, h, onChange, openTerminal, randomId, send, watch,
} from "./shared.js";

const SILENCE = 25_000; // ms; Python asks every 8 s whether a card is seen, unless it was killed
const DEMO = "This one shows how exercises work; it does not count as solved.";
const TRAITS = ["hints", "solution", "found", "solved", "began", "seconds", "demo"];

/** A time as minutes and seconds: 83.5 is "01:23". */
export function minutesAndSeconds(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return [whole / 60, whole % 60].map((n) => String(Math.floor(n)).padStart(2, "0")).join(":");
}

/** What the hint button says when so many of the hints are shown. */
export function hintLabel(shown, count) {
  return shown < count ? `Hint ${shown + 1} of ${count}` : "No more hints";
}

class ExerciseCard {
  constructor(model) {
    this.model = model;
    this.timer = null;
    this.heard = 0; // when Python or the learner was last known to be there
    const press = (name) => () => model.send({ press: name });

    this.lamp = decoration("nsedu-lamp");
    this.state = h("strong");
    this.found = h("span");
    this.hints = h("ol", { class: "nsedu-hints", "aria-label": "hints", "aria-live": "polite" });
    this.code = h("pre");
    this.copy = button("Copy", () => copyText(this.code.textContent, this.copy));
    this.solution = h("div", { class: "nsedu-solution", "aria-live": "polite" },
      this.code, this.copy);
    this.demo = h("p", { class: "nsedu-demo" }, DEMO);
    this.clock = h("span", { class: "nsedu-clock", role: "timer", "aria-label": "time taken" });
    this.hintButton = button("", press("hint"));
    this.solutionButton = button("Show a solution", press("solution"));
    this.againButton = button("Begin anew", press("again"));
    this.element = this.layOut();
  }

  get(name) {
    return this.model.get(name);
  }

  layOut() {
    const label = this.get("label"), title = this.get("title");
    return h("div", {
      class: "nsedu nsedu-card nsedu-exercise", role: "group",
      "aria-label": `Exercise ${label}: ${title}`,
    },
      h("div", { class: "nsedu-title" }, h("code", {}, label), h("strong", {}, title)),
      h("p", {}, this.get("task")), this.demo,
      h("div", { class: "nsedu-status", role: "status" }, this.lamp, this.state, this.found),
      this.hints, this.solution,
      h("div", { class: "nsedu-tools" }, this.hintButton, this.solutionButton,
        openTerminal(this.get("directory")), this.againButton, this.clock));
  }

  /** Show the traits as they are now. */
  update() {
    const solved = this.get("solved"), hints = this.get("hints"), before = this.get("before");
    this.element.classList.toggle("solved", solved);
    this.lamp.textContent = solved ? "✔" : "";
    this.state.textContent = solved ? "solved" : "not yet";
    this.found.textContent =
      this.get("found") || (before ? `you solved this one before, on ${before}.` : "");
    while (this.hints.children.length > hints.length) this.hints.lastChild.remove();
    for (const text of hints.slice(this.hints.children.length)) {
      this.hints.append(h("li", {}, text));
    }
    this.hintButton.textContent = hintLabel(hints.length, this.get("count"));
    this.hintButton.disabled = hints.length >= this.get("count");
    this.code.textContent = this.get("solution");
    this.solution.hidden = !this.get("solution");
    this.solutionButton.hidden = Boolean(this.get("solution"));
    this.againButton.hidden = !solved;
    this.demo.hidden = !this.get("demo");
    this.tick();
    if (solved) this.stopClock();
    else this.startClock();
  }

  tick() {
    if (Date.now() - this.heard > SILENCE) this.stopClock();
    const solved = this.get("solved");
    this.clock.textContent = minutesAndSeconds(
      solved ? this.get("seconds") : (Date.now() - this.get("began")) / 1000);
  }

  /** Let the time run: somebody watches, and the kernel lives. */
  startClock() {
    this.heard = Date.now();
    if (!this.get("solved")) this.timer ??= setInterval(() => this.tick(), 1000);
  }

  stopClock() {
    clearInterval(this.timer);
    this.timer = null;
  }

  /** The kernel has ended: no press would arrive. */
  end() {
    this.stopClock();
    for (const one of [this.hintButton, this.solutionButton, this.againButton]) one.disabled = true;
  }
}

function render({ model, el }) {
  const card = new ExerciseCard(model);
  const view = randomId();
  const arrive = () => send(model, { view, there: true });
  const leave = () => send(model, { view, there: false });
  const end = () => card.end();
  const receive = (message) => message.ask && card.startClock();

  const stop = onChange(model, TRAITS, () => card.update());
  model.on("comm_live_update", end);
  model.on("msg:custom", receive);
  el.append(card.element);
  arrive();
  window.addEventListener("pagehide", leave);
  card.update();
  const unwatch = watch(model, card.element, () => card.startClock());
  return () => {
    card.stopClock();
    unwatch();
    leave();
    window.removeEventListener("pagehide", leave);
    stop();
    model.off("comm_live_update", end);
    model.off("msg:custom", receive);
  };
}

export default { render };
