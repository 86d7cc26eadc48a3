// The panel beside the trees: all about the process or namespace that was chosen, or the changes.

import { button, h } from "../shared.js";
import { plural } from "./store.js";

const MAX_MEMBERS = 60;

function note(text) {
  return h("p", { class: "note" }, text);
}

/** A table of words, perhaps under headings; without them, the first of each row heads it. */
function table(columns, rows) {
  const cells = (row) => row.map((word, index) => h(index || columns ? "td" : "th", {}, word));
  const heads = (columns || []).map((word) => h("th", { scope: "col" }, word));
  return h("table", {},
    ...(columns ? [h("thead", {}, h("tr", {}, ...heads))] : []),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...cells(row)))));
}

/** A section that Python has read: rows of words, and a note; one with a count unfolds. */
function section({ title, columns, rows = [], note: remark, count }) {
  const body = [];
  if (rows.length) body.push(table(columns, rows));
  if (remark) body.push(note(remark));
  if (count === undefined) return h("section", {}, h("h4", {}, title), ...body);
  const summary = h("summary", { "data-key": title }, h("h4", {}, `${title} (${count})`));
  return h("section", { class: "long" },
    h("details", {}, summary, ...(rows.length ? body : [note("none")])));
}

/** Replace what is in a box, with focus, scrolling and what was unfolded as they were. */
function replace(box, ...children) {
  const focused = box.contains(document.activeElement) && document.activeElement.dataset.key;
  const summaries = () => [...box.querySelectorAll("details > summary")];
  const open = new Set(
    summaries().filter((one) => one.parentElement.open).map((one) => one.dataset.key));
  const top = box.scrollTop;
  box.replaceChildren(...children);
  for (const one of summaries()) one.parentElement.open = open.has(one.dataset.key);
  if (focused) {
    [...box.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus();
  }
  box.scrollTop = top;
}

export class Panel {
  constructor(view) {
    this.view = view;
    this.store = view.store;
    this.element = h("div", {
      class: "nsedu-panel", role: "region", "aria-label": "Details", tabindex: "0",
    });
    this.answer = null; // of Python about what is shown
    this.empty();
  }

  empty() {
    this.showing = null;
    replace(this.element, note("Choose a process or a namespace to see all about it."));
  }

  show(what) {
    this.showing = what;
    this.answer = this.pins = this.signature = null;
    this.element.scrollTop = 0;
    this.read();
    this.draw();
  }

  /** Ask Python for what only it can read. */
  read() {
    const { kind, pid, type, ns } = this.showing;
    this.view.ask({ do: kind, pid, type, ns });
  }

  /** Show Python's answer, if it is still about what is shown. */
  receive(message) {
    const now = this.showing, { kind, pid, type, ns } = message;
    if (!now) return;
    const same = type === now.type && ns === now.ns;
    if (kind === now.kind && pid === now.pid && same) this.answer = message;
    else if (kind === "pins" && same) this.pins = message.text;
    else if (kind === "compared" && now.kind === "changes") this.answer = message;
    else return;
    this.draw();
  }

  /** Read again what may have changed.  It is drawn later, with the marks. */
  refresh() {
    const now = this.showing;
    if (!now) return;
    if (now.kind === "changes") {
      this.read();
      return;
    }
    const row = this.store.rows.get(now.pid);
    if (now.kind === "process" && row && row.mark !== "gone") {
      const signature = [row.group, row.command, row.name, row.ppid].join("|");
      if (this.signature !== null && this.signature !== signature) this.read();
      this.signature = signature;
    }
  }

  draw() {
    if (this.showing?.kind === "process") this.drawProcess();
    else if (this.showing?.kind === "namespace") this.drawNamespace();
    else if (this.showing?.kind === "changes") this.drawChanges();
  }

  head(title, gone) {
    return h("div", { class: "head" }, h("h3", { class: gone ? "gone" : "" }, title), gone
      ? h("strong", { class: "badge gone" }, "gone")
      : button("Read again", () => this.read(), { "data-key": "again" }));
  }

  /** A button that shows a namespace; only words if it is not known. */
  link(type, ns) {
    const id = `${type}:${ns}`, words = `${type}:[${ns}]`;
    if (!this.store.spaces.has(id)) return words;
    return button(words, () => this.view.choose({ kind: "namespace", type, ns }),
      { class: "link", "data-key": id });
  }

  sections() {
    return this.answer ? this.answer.sections.map(section) : [note("reading …")];
  }

  drawProcess() {
    const { pid } = this.showing, row = this.store.rows.get(pid);
    // Once it has gone, what was last known of it stays.
    const gone = !row || row.mark === "gone";
    if (!gone) this.last = { row: { ...row }, links: this.links(row) };
    if (this.last?.row.pid !== pid) {
      this.empty();
      return;
    }
    replace(this.element, this.head(`${this.last.row.name}, pid ${pid}`, gone),
      h("div", { class: "columns" }, this.last.links, ...this.sections()));
  }

  links(row) {
    const rows = this.store.types.flatMap((type) =>
      type.links.map((link) => this.linkRow(row, type.name, link)));
    return h("section", {},
      h("h4", {}, "the ten links of /proc/PID/ns"), h("table", {}, h("tbody", {}, ...rows)));
  }

  linkRow(row, type, link) {
    const ns = this.store.link(row, link), id = `${type}:${ns}`;
    const others = this.store.count(id) - 1;
    const shared = link !== type ? "" : others > 0 ? `with ${others} more` : "alone";
    return h("tr", {},
      h("th", { scope: "row" }, link),
      h("td", { class: "letter" }, this.store.spaces.get(id)?.letter ?? "?"),
      h("td", {}, ns ? this.link(type, ns) : "none, or it may not be read"),
      h("td", {}, ns ? shared : ""));
  }

  drawNamespace() {
    const { type, ns } = this.showing;
    const space = this.store.spaces.get(`${type}:${ns}`), gone = !space || space.mark === "gone";
    if (!gone) this.letter = space.letter;
    replace(this.element, this.head(`${type}:[${ns}], letter ${this.letter || "?"}`, gone),
      h("div", { class: "columns" },
        ...this.sections(),
        ...(gone ? [] : [this.members(space)]),
        h("section", { class: "long" }, h("h4", {}, "what keeps it alive"), this.pins
          ? h("pre", { tabindex: "0", "aria-label": "what keeps it alive" }, this.pins)
          : button("Look at descriptors, mounts and sockets, too",
            () => this.view.ask({ do: "pins", type, ns }), { "data-key": "pins" }))));
  }

  /** The processes in a namespace, and how it is related to others. */
  members({ id, type, parent, owner }) {
    const rows = this.store.members(id).flat().sort((one, other) => one.pid - other.pid);
    const buttons = rows.slice(0, MAX_MEMBERS).map(({ name, pid }) =>
      h("li", {}, button(`${name} ${pid}`, () => this.view.choose({ kind: "process", pid }),
        { class: "link", "data-key": `p${pid}` })));
    const relation = (word, kind, ns) =>
      h("p", {}, `${word}: `, ns ? this.link(kind, ns) : "none in sight");
    const more = rows.length - MAX_MEMBERS;
    const { nests } = this.store.types.find((one) => one.name === type);
    return h("section", {},
      h("h4", {}, `${plural(rows.length, "process", "processes")} in it`),
      h("ul", { class: "members" }, ...buttons),
      more > 0 ? note(`… ${more} more`) : "",
      nests ? relation("parent", type, parent) : "",
      type === "user" ? "" : relation("owner", "user", owner));
  }

  drawChanges() {
    const { rows = [], count = 0 } = this.answer || {};
    const body = rows.map(([what, thing]) => h("tr", {},
      h("td", {}, h("strong", { class: `badge ${what}` }, what)), h("td", {}, thing)));
    const children = this.answer && !count
      ? [h("p", {}, "Nothing has come, gone or moved.")]
      : [h("table", {}, h("tbody", {}, ...body))];
    if (count > rows.length) children.push(note(`… ${count - rows.length} more`));
    replace(this.element, h("div", { class: "head" }, h("h3", {}, "Since the mark")), ...children);
  }
}
