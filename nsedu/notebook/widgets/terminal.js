// A button that opens a terminal, and how to do it by hand.

import { h, onKernelDeath, openTerminal } from "./shared.js";

const ASKS =
  "Until all cells of the notebook have been run, JupyterLab asks first: choose Run Once.";

function render({ model, el }) {
  const open = openTerminal(model.get("directory"));
  const how = h("p", {},
    "By hand: File → New → Terminal, then ", h("code", {}, model.get("go")),
    ". An exercise is checked there by ", h("code", {}, `${model.get("command")} check ID`), ".");
  el.append(h("div", { class: "nsedu nsedu-card nsedu-terminal" },
    open, how, open.tagName === "BUTTON" ? h("p", {}, ASKS) : ""));
  onKernelDeath(model, el);
}

export default { render };
