// A quiz: one answer of several to each question, why it is right or wrong, and the score.

import { h, onKernelDeath } from "./shared.js";

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

function render({ model, el }) {
  const get = (name) => model.get(name);
  const prefix = "q" + Math.random().toString(36).slice(2);
  const questions = get("questions").map(({ asked, answers }, number) => {
    const title = `${prefix}-${number}`;
    const labels = answers.map((parts, place) => {
      const input = h("input", {
        type: "radio", name: title, value: String(place),
        onchange: () => model.send({ question: number, answer: place }),
        onkeydown: (event) => step(event, place),
      });
      const mark = h("span", { class: "mark", "aria-hidden": "true" });
      const label = h("label", {}, input, h("span", {}, ...pieces(parts)), mark);
      return { input, mark, label };
    });
    // The arrow keys only go to an answer, and Space chooses it: else the first one met would count.
    const step = (event, place) => {
      if (event.key === "Enter") labels[place].input.click();
      else if (!(event.key in STEPS)) return;
      else labels.at((place + STEPS[event.key]) % labels.length).input.focus();
      event.preventDefault();
    };
    const told = h("p", { class: "nsedu-told", role: "status" });
    const group = h("div", { class: "nsedu-question", role: "radiogroup", "aria-labelledby": title },
      h("p", { id: title, class: "nsedu-asked" }, ...pieces(asked)), ...labels.map((one) => one.label), told);
    return { labels, told, group };
  });
  const score = h("p", { class: "nsedu-score", role: "status" });
  const again = h("button", { type: "button", onclick: () => model.send({ press: "again" }) }, "Begin anew");
  const foot = h("div", { class: "nsedu-tools" }, score, again);

  const update = () => {
    questions.forEach(({ labels, told }, number) => {
      const tried = get("tried")[number], right = get("right")[number];
      const last = tried.length ? tried[tried.length - 1] : -1;
      labels.forEach(({ input, mark, label }, place) => {
        input.checked = place === last;
        const state = place !== last ? "" : right ? "right" : "wrong";
        label.className = state;
        mark.textContent = MARKS[state] || "";
      });
      told.className = `nsedu-told ${right ? "right" : "amber"}`;
      told.replaceChildren(...pieces(get("said")[number]));
    });
    score.textContent = get("score");
    foot.hidden = !get("score");
  };
  const traits = ["tried", "said", "right", "score"];
  for (const trait of traits) model.on(`change:${trait}`, update);
  const end = () => { // the kernel has ended: nobody would hear of an answer
    for (const input of el.querySelectorAll("input, button")) input.disabled = true;
  };
  model.on("comm_live_update", end);
  el.append(h("div", {
    class: "nsedu nsedu-card nsedu-quiz", role: "group", "aria-label": `Quiz ${get("label")}`,
  }, ...questions.map((one) => one.group), foot));
  onKernelDeath(model, el);
  update();
  return () => {
    for (const trait of traits) model.off(`change:${trait}`, update);
    model.off("comm_live_update", end);
  };
}

export default { render };
