// A button that opens a terminal, and how to do it by hand.

import { h, onKernelDeath, openTerminal } from "./shared.js";

function render({ model, el }) {
  const code = (text) => h("code", {}, text);
  const how = h("p", {}, "By hand: File → New → Terminal, then ", code(model.get("go")),
    ". An exercise is checked there by ", code(`${model.get("command")} check ID`), ".");
  const button = openTerminal(model.get("directory"));
  const asks = "Until all cells of the notebook have been run, JupyterLab asks first: choose Run Once.";
  el.append(h("div", { class: "nsedu nsedu-card nsedu-terminal" },
    button, how, button.tagName === "BUTTON" ? h("p", {}, asks) : ""));
  onKernelDeath(model, el);
}

export default { render };
