// A question to answer before the kernel does: boxes to tick, one of several, or a word to type.

import { decoration, h, onChange, onKernelDeath, randomId } from "./shared.js";

const NOTED = "noted: run on, and the kernel will answer.";
const MARK = { hit: "✔", missed: "◂ this one", wrong: "✘" };

function render({ model, el }) {
  const kind = model.get("kind");
  const name = randomId("g"); // radio buttons of one view belong together
  const verdict = h("p", { class: "nsedu-told", role: "status" });

  const guess = (answers) => {
    model.set("guess", answers);
    model.save_changes();
  };
  const choices = model.get("choices").map((choice) => {
    const input = h("input", {
      type: kind === "many" ? "checkbox" : "radio", name, value: choice,
      onchange: () => guess(choices.filter((one) => one.input.checked).map((one) => one.choice)),
    });
    const mark = decoration("mark");
    return { choice, input, label: h("label", {}, input, h("span", {}, choice), mark), mark };
  });
  const typed = h("input", {
    type: "text", size: 24, "aria-label": model.get("question"),
    oninput: () => guess(typed.value.trim() ? [typed.value.trim()] : []),
  });
  const answer = kind === "typed" ? [typed] : choices.map((one) => one.label);
  const fields = h("fieldset", {},
    h("legend", {}, model.get("question")), h("div", { class: "nsedu-choices" }, ...answer));

  const update = () => {
    const guessed = model.get("guess"), marks = model.get("marks"), said = model.get("said");
    for (const { choice, input, label, mark } of choices) {
      input.checked = guessed.includes(choice);
      label.className = marks[choice] || "";
      mark.textContent = MARK[marks[choice]] || "";
    }
    if (document.activeElement !== typed) typed.value = guessed[0] || "";
    fields.disabled = said !== "";
    const text = said || (guessed.length ? NOTED : "");
    if (verdict.textContent !== text) verdict.textContent = text; // or each key reads it out again
    verdict.className = "nsedu-told " + (said === "" ? "" : model.get("right") ? "right" : "amber");
  };
  const stop = onChange(model, ["guess", "marks", "said", "right"], update);
  el.append(h("div", { class: "nsedu nsedu-card nsedu-prediction" }, fields, verdict));
  onKernelDeath(model, el);
  update();
  return stop;
}

export default { render };
