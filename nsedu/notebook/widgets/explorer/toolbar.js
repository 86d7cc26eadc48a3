// The explorer's toolbar: what to look at, and what to do with it.

import { button, h } from "../shared.js";

function group(label, ...children) {
  return h("span", { class: "together", role: "group", "aria-label": label }, ...children);
}

/** What the toolbar says of what is shown. */
export function stateText({ still, paused, scope }) {
  if (still) return "a saved snapshot, not live";
  if (paused) return "paused";
  return scope.startsWith("process") ? `live, ${scope}` : "live";
}

/** The buttons and the search field; `view` does what they say. */
export class Toolbar {
  constructor(view) {
    this.search = h("input", {
      type: "search", placeholder: "name, pid, command",
      "aria-label": "Search processes by name, pid or command",
      oninput: () => view.find(this.search.value.trim().toLowerCase()),
    });
    this.scopes = ["mine", "machine"].map((scope) =>
      button(scope, () => view.ask({ do: "look_at", scope }), { "data-scope": scope }));
    this.pause = button("Pause", () => view.pauseOrResume());
    this.mark = button("Mark", () => view.mark(),
      { title: "remember this moment, to compare with later" });
    this.compare = button("Compare", () => view.choose({ kind: "changes" }),
      { title: "what came, went and moved since the mark" });
    this.live = button("Back to live", () => view.ask({ do: "look_at", scope: "" }));
    this.state = h("span", { class: "state" });
    this.element = h("div", { class: "bar", role: "toolbar", "aria-label": "Explorer" },
      group("What to look at", ...this.scopes),
      this.search,
      button("Collapse", () => view.collapse(true), { title: "show only the first level" }),
      button("Expand", () => view.collapse(false), { title: "show all levels" }),
      this.pause, this.mark, this.compare,
      ...this.files(view), this.live, this.state);
  }

  /** The buttons for files, and the hidden field that the browser chooses a file with. */
  files(view) {
    const picture = (form) => button(form.toUpperCase(), () => view.ask({ do: "picture", form }),
      { title: `save a picture of the tree as ${form.toUpperCase()}` });
    const file = h("input", {
      type: "file", accept: ".json,application/json", hidden: true,
      "aria-label": "A saved snapshot",
      onchange: () => {
        const chosen = file.files[0];
        file.value = ""; // so that the same file can be chosen again
        if (chosen) view.load(chosen);
      },
    });
    const buttons = group("Files",
      button("Save", () => view.ask({ do: "save" }), { title: "save this snapshot as JSON" }),
      button("Load", () => file.click(), { title: "show a saved snapshot" }),
      picture("svg"), picture("png"));
    return [buttons, file];
  }

  /** Show the explorer's settings: still, paused, scope, marked. */
  update({ still, paused, scope, marked }) {
    for (const one of this.scopes) {
      one.setAttribute("aria-pressed", !still && one.dataset.scope === scope);
    }
    this.live.hidden = !still;
    this.pause.hidden = this.mark.hidden = still;
    this.pause.textContent = paused ? "Resume" : "Pause";
    this.compare.disabled = !marked;
    this.state.textContent = stateText({ still, paused, scope });
  }
}
