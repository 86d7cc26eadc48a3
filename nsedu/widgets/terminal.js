// A button that opens a terminal, and how to do it by hand.

function render({ model, el }) {
  const code = (text) => h("code", {}, text);
  el.append(h("div", { class: "nsedu nsedu-card nsedu-terminal" },
    openTerminal(model.get("directory")),
    h("p", {}, "By hand: File → New → Terminal, then ", code(model.get("go")), ". An exercise is checked there by ",
      code(`${model.get("command")} check ID`), ".")));
  mindTheEnd(model, el);
}

export default { render };
