// A quiz: one answer of several to each question, why it is right or wrong, and the score.

import { button, decoration, h, onChange, onKernelDeath, randomId } from "./shared.js";

const MARKS = { right: "✔", wrong: "✘" };
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/** The elements for the parts of a text: words, code, links. */
function pieces(parts) {
  return parts.map((part) => {
    if (part.code !== undefined) return h("code", {}, part.code);
    if (part.link) return h("a", { href: part.link, target: "_blank", rel: "noopener" }, part.text);
    return h("span", {}, part.text);
  });
}

/** A question with its answers; `onAnswer` is called with the index of the one that is chosen. */
class Question {
  constructor({ asked, answers }, title, onAnswer) {
    this.answers = answers.map((parts, index) => {
      const input = h("input", {
        type: "radio", name: title, value: String(index),
        onchange: () => onAnswer(index),
        onkeydown: (event) => this.key(event, index),
      });
      const mark = decoration("mark");
      const label = h("label", {}, input, h("span", {}, ...pieces(parts)), mark);
      return { input, mark, label };
    });
    this.comment = h("p", { class: "nsedu-told", role: "status" });
    this.element = h("div",
      { class: "nsedu-question", role: "radiogroup", "aria-labelledby": title },
      h("p", { id: title, class: "nsedu-asked" }, ...pieces(asked)),
      ...this.answers.map(({ label }) => label), this.comment);
  }

  /** The arrow keys only go to an answer, and Space chooses it: else the first would count. */
  key(event, index) {
    if (event.key === "Enter") this.answers[index].input.click();
    else if (!(event.key in STEPS)) return;
    else this.answers.at((index + STEPS[event.key]) % this.answers.length).input.focus();
    event.preventDefault();
  }

  /** Show which answers were tried, whether the last is right, and what is said of it. */
  update(tried, right, said) {
    const last = tried.length ? tried[tried.length - 1] : -1;
    this.answers.forEach(({ input, mark, label }, index) => {
      input.checked = index === last;
      const state = index !== last ? "" : right ? "right" : "wrong";
      label.className = state;
      mark.textContent = MARKS[state] || "";
    });
    this.comment.className = `nsedu-told ${right ? "right" : "amber"}`;
    this.comment.replaceChildren(...pieces(said));
  }
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  const prefix = randomId("q");
  const questions = get("questions").map((question, number) => new Question(
    question, `${prefix}-${number}`, (answer) => model.send({ question: number, answer })));
  const score = h("p", { class: "nsedu-score", role: "status" });
  const foot = h("div", { class: "nsedu-tools" },
    score, button("Begin anew", () => model.send({ press: "again" })));

  const update = () => {
    questions.forEach((question, number) =>
      question.update(get("tried")[number], get("right")[number], get("said")[number]));
    score.textContent = get("score");
    foot.hidden = !get("score");
  };
  const end = () => { // the kernel has ended: no answer would arrive
    for (const input of el.querySelectorAll("input, button")) input.disabled = true;
  };
  const stop = onChange(model, ["tried", "said", "right", "score"], update);
  model.on("comm_live_update", end);
  el.append(h("div", {
    class: "nsedu nsedu-card nsedu-quiz", role: "group", "aria-label": `Quiz ${get("label")}`,
  }, ...questions.map(({ element }) => element), foot));
  onKernelDeath(model, el);
  update();
  return () => {
    stop();
    model.off("comm_live_update", end);
  };
}

export default { render };
