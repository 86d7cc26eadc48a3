// The panel beside the trees: all about the process or namespace that was chosen, or what has changed.

import { h } from "../shared.js";

/** A section that Python has read: rows of words, perhaps under headings, and a note. */
function section({ title, columns, rows = [], note, count }) {
  const cells = (row, tag) => row.map((word, index) => h(index || columns ? tag : "th", {}, word));
  const table = rows.length > 0 && h("table", {},
    ...(columns ? [h("thead", {}, h("tr", {}, ...columns.map((word) => h("th", { scope: "col" }, word))))] : []),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...cells(row, "td")))));
  const body = [table, note && h("p", { class: "note" }, note)].filter(Boolean);
  if (count === undefined) return h("section", {}, h("h4", {}, title), ...body);
  const none = h("p", { class: "note" }, "none");
  return h("section", { class: "long" },
    h("details", {}, h("summary", { "data-key": title }, h("h4", {}, `${title} (${count})`)), ...(rows.length ? body : [none])));
}

/** Replace what is in a box, with focus, scrolling and what was unfolded as they were. */
function replace(box, ...children) {
  const key = box.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = new Set([...box.querySelectorAll("details[open] > summary")].map((one) => one.dataset.key));
  const top = box.scrollTop;
  box.replaceChildren(...children.filter(Boolean));
  for (const one of box.querySelectorAll("details > summary")) one.parentElement.open = open.has(one.dataset.key);
  if (key) [...box.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
  box.scrollTop = top;
}

export class Panel {
  constructor({ store, ask, choose }) {
    Object.assign(this, { store, ask, choose });
    this.element = h("div", { class: "nsedu-panel", role: "region", "aria-label": "Details", tabindex: "0" });
    this.told = null; // what Python has said of what is shown
    this.empty();
  }

  empty() {
    this.showing = null;
    replace(this.element, h("p", { class: "note" },
      "Choose a process or a namespace to see all about it."));
  }

  show(what) {
    this.showing = what;
    this.told = this.pins = this.signature = null;
    this.element.scrollTop = 0;
    this.read();
    this.draw();
  }

  /** Ask Python for what only it can read. */
  read() {
    const { kind, pid, type, ns } = this.showing;
    this.ask({ do: kind, pid, type, ns });
  }

  /** Take in Python's answer, if it is still what is shown. */
  take(message) {
    const now = this.showing, { kind, pid, type, ns } = message;
    if (!now) return;
    if (kind === now.kind && (pid === now.pid && type === now.type && ns === now.ns)) this.told = message;
    else if (kind === "pins" && type === now.type && ns === now.ns) this.pins = message.text;
    else if (kind === "compared" && now.kind === "changes") this.told = message;
    else return;
    this.draw();
  }

  /** After a look: read again what may have changed.  It is drawn anyway, when marks are shown. */
  refresh() {
    const now = this.showing;
    if (!now) return;
    if (now.kind === "changes") return this.read();
    const row = this.store.rows.get(now.pid);
    if (now.kind === "process" && row && row.mark !== "gone") {
      const signature = [row.group, row.command, row.name, row.ppid].join("|");
      if (this.signature !== null && this.signature !== signature) this.read();
      this.signature = signature;
    }
  }

  draw() {
    const draw = { process: () => this.process(), namespace: () => this.namespace(), changes: () => this.changes() };
    if (this.showing) draw[this.showing.kind]();
  }

  head(title, gone) {
    const words = [h("h3", { class: gone ? "gone" : "" }, title)];
    if (gone) words.push(h("strong", { class: "badge gone" }, "gone"));
    else words.push(h("button", { type: "button", "data-key": "again", onclick: () => this.read() }, "Read again"));
    return h("div", { class: "head" }, ...words);
  }

  link(type, ns, words) {
    const id = `${type}:${ns}`;
    if (!this.store.spaces.has(id)) return words;
    return h("button", {
      type: "button", class: "link", "data-key": id, onclick: () => this.choose({ kind: "namespace", type, ns }),
    }, words);
  }

  sections() {
    if (!this.told) return [h("p", { class: "note" }, "reading …")];
    return this.told.sections.map(section);
  }

  process() {
    const { pid } = this.showing, row = this.store.rows.get(pid);
    // Once it has gone, what was seen last stays.
    const gone = !row || row.mark === "gone";
    if (!gone) this.last = { row: { ...row }, links: this.links(row) };
    if (this.last?.row.pid !== pid) return this.empty();
    const title = `${this.last.row.name}, pid ${pid}`;
    replace(this.element, this.head(title, gone), h("div", { class: "columns" }, this.last.links, ...this.sections()));
  }

  links(row) {
    const rows = [];
    for (const { name, links } of this.store.types) {
      for (const link of links) {
        const ns = this.store.link(row, link), space = this.store.spaces.get(`${name}:${ns}`);
        const inside = this.store.count(`${name}:${ns}`);
        const shared = link !== name ? "" : inside > 1 ? `with ${inside - 1} more` : "alone";
        rows.push(h("tr", {},
          h("th", { scope: "row" }, link),
          h("td", { class: "letter" }, space ? space.letter : "?"),
          h("td", {}, ns ? this.link(name, ns, `${name}:[${ns}]`) : "none, or it may not be read"),
          h("td", {}, ns ? shared : "")));
      }
    }
    return h("section", {}, h("h4", {}, "the ten links of /proc/PID/ns"), h("table", {}, h("tbody", {}, ...rows)));
  }

  namespace() {
    const { type, ns } = this.showing, id = `${type}:${ns}`;
    const space = this.store.spaces.get(id), gone = !space || space.mark === "gone";
    if (!gone) this.letter = space.letter;
    const members = gone ? [] : this.store.members(id).flat().sort((one, other) => one.pid - other.pid);
    const relation = (word, kind, other) => h("p", {}, `${word}: `, other ? this.link(kind, other, `${kind}:[${other}]`) : "none in sight");
    const nests = this.store.types.find((one) => one.name === type).nests;
    const MOST = 60;
    const people = members.slice(0, MOST).map((row) => h("li", {}, h("button", {
      type: "button", class: "link", "data-key": `p${row.pid}`, onclick: () => this.choose({ kind: "process", pid: row.pid }),
    }, `${row.name} ${row.pid}`)));
    const count = members.length === 1 ? "1 process" : `${members.length} processes`;
    replace(this.element, this.head(`${type}:[${ns}], letter ${this.letter || "?"}`, gone),
      h("div", { class: "columns" },
        ...this.sections(),
        !gone && h("section", {},
          h("h4", {}, `${count} in it`),
          h("ul", { class: "members" }, ...people),
          members.length > MOST ? h("p", { class: "note" }, `… ${members.length - MOST} more`) : "",
          nests ? relation("parent", type, space.parent) : "",
          type === "user" ? "" : relation("owner", "user", space.owner)),
        h("section", { class: "long" },
          h("h4", {}, "what keeps it alive"),
          this.pins ? h("pre", { tabindex: "0", "aria-label": "what keeps it alive" }, this.pins) : h("button", {
            type: "button", "data-key": "pins", onclick: () => this.ask({ do: "pins", type, ns }),
          }, "Look at descriptors, mounts and sockets, too"))));
  }

  changes() {
    const { rows = [], count = 0 } = this.told || {};
    const list = h("table", {}, h("tbody", {}, ...rows.map(([what, whom]) =>
      h("tr", {}, h("td", {}, h("strong", { class: `badge ${what}` }, what)), h("td", {}, whom)))));
    const more = count > rows.length && h("p", { class: "note" }, `… ${count - rows.length} more`);
    const none = this.told && !count && h("p", {}, "Nothing has come, gone or moved.");
    replace(this.element, h("div", { class: "head" }, h("h3", {}, "Since the mark")), none || list, more);
  }
}
