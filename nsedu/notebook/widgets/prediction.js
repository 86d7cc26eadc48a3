// A question to answer before the kernel does: boxes to tick, one of several, or a word to type.

import { h, onKernelDeath } from "./shared.js";

const NOTED = "noted: run on, and the kernel will answer.";
const MARK = { hit: "✔", missed: "◂ this one", wrong: "✘" };

function render({ model, el }) {
  const kind = model.get("kind");
  const name = "g" + Math.random().toString(36).slice(2); // radio buttons of one view belong together
  const told = h("p", { class: "nsedu-told", role: "status" });

  const send = (guess) => {
    model.set("guess", guess);
    model.save_changes();
  };
  const labels = model.get("choices").map((choice) => {
    const input = h("input", {
      type: kind === "many" ? "checkbox" : "radio", name, value: choice,
      onchange: () => send(labels.filter((l) => l.input.checked).map((l) => l.input.value)),
    });
    const mark = h("span", { class: "mark", "aria-hidden": "true" });
    const label = h("label", {}, input, h("span", {}, choice), mark);
    return { choice, input, label, mark };
  });
  const typed = h("input", {
    type: "text", size: 24, "aria-label": model.get("question"),
    oninput: () => send(typed.value.trim() ? [typed.value.trim()] : []),
  });
  const answer = kind === "typed" ? [typed] : labels.map((l) => l.label);
  const fields = h("fieldset", {},
    h("legend", {}, model.get("question")), h("div", { class: "nsedu-choices" }, ...answer));

  const update = () => {
    const guess = model.get("guess"), marks = model.get("marks");
    for (const { choice, input, label, mark } of labels) {
      input.checked = guess.includes(choice);
      label.className = marks[choice] || "";
      mark.textContent = MARK[marks[choice]] || "";
    }
    if (document.activeElement !== typed) typed.value = guess[0] || "";
    fields.disabled = model.get("said") !== "";
    const said = model.get("said"), text = said || (guess.length ? NOTED : "");
    if (told.textContent !== text) told.textContent = text; // or it would be read out at each key
    told.className = "nsedu-told " + (said === "" ? "" : model.get("right") ? "right" : "amber");
  };
  for (const trait of ["guess", "marks", "said", "right"]) model.on(`change:${trait}`, update);
  el.append(h("div", { class: "nsedu nsedu-card nsedu-prediction" }, fields, told));
  onKernelDeath(model, el);
  update();
  return () => {
    for (const trait of ["guess", "marks", "said", "right"]) model.off(`change:${trait}`, update);
  };
}

export default { render };
