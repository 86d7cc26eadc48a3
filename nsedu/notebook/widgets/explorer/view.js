// The explorer: a tree of processes, the namespaces beside it, and a panel about what was chosen.

import { button, h, onChange, randomId, send, watch } from "../shared.js";
import { download, fileName, pack, raster, unpack } from "./files.js";
import { Items } from "./items.js";
import { Panel } from "./panel.js";
import { countText, Store } from "./store.js";
import { Toolbar } from "./toolbar.js";
import { namespaceTree, processTree } from "./explorer_trees.js";

const SETTINGS = ["still", "paused", "scope", "marked"]; // traits
const ALL_ARE_READ = 200; // processes; with fewer, Python reads each at every look
const KINDS = { json: "application/json", svg: "image/svg+xml" };

/** "; could not read maps: 3" for each reason. */
export function unreadText(unread) {
  return Object.entries(unread)
    .map(([reason, count]) => `; could not read ${reason}: ${count}`)
    .join("");
}

/** The heading of a column. */
function column(name, ...children) {
  return h("span", { class: name }, ...children);
}

/** The state of one view, its parts, and what its parts ask for. */
class ExplorerView {
  constructor(model) {
    this.model = model;
    this.id = randomId();
    this.types = model.get("types");
    this.store = new Store(this.types, model.get("links"));
    this.items = new Items(this.store, this.types);
    this.expiry = null; // timer: when the next mark expires
    this.readFirst = ""; // the pids that Python was asked to read at every look
    this.unread = ""; // what could not be read, in words

    this.toolbar = new Toolbar(this);
    this.processes = processTree(this);
    this.spaces = namespaceTree(this);
    this.panel = new Panel(this);
    this.heads = this.types.map(({ name, title }) =>
      button(name, () => this.pick(this.items.type === name ? "" : name), {
        class: `type ${name}`, title: `show only ${title} namespaces`, "aria-pressed": "false",
      }));
    this.choice = h("select", {
      "aria-label": "Type of namespace", onchange: () => this.pick(this.choice.value),
    }, h("option", { value: "" }, "all types"), ...this.types.map(({ name, title }) =>
      h("option", { value: name }, name === title ? name : `${name} (${title})`)));
    this.status = h("p", { class: "said", role: "status", "aria-live": "polite" });
    this.sums = h("p", { class: "sums" });
    this.element = this.layOut();
  }

  layOut() {
    return h("div", { class: "nsedu nsedu-explorer" }, this.toolbar.element,
      h("div", { class: "panes" },
        h("div", { class: "pane left" },
          h("div", { class: "heads" },
            column("name", "process"), column("pid", "pid"), ...this.heads),
          this.processes.element),
        h("div", { class: "pane right" },
          h("div", { class: "heads" },
            column("name", "namespaces of", this.choice), column("count", "processes")),
          this.spaces.element),
        this.panel.element),
      h("div", { class: "foot" }, this.status, this.sums));
  }

  dispose() {
    clearTimeout(this.expiry);
    this.processes.dispose();
    this.spaces.dispose();
  }

  // To Python

  ask(content) {
    send(this.model, { view: this.id, ...content });
  }

  pauseOrResume() {
    this.ask({ do: this.model.get("paused") ? "resume" : "pause" });
  }

  mark() {
    this.ask({ do: "mark" });
    this.say("Marked. Compare shows what comes, goes and moves from now on.");
  }

  async load(file) {
    this.say(`Loading ${file.name} …`);
    try {
      this.ask({ do: "load", packed: await pack(await file.text()) });
    } catch (error) {
      this.say(`${file.name} cannot be read: ${error.message}.`);
    }
  }

  /** Have Python read the processes of these items, and the chosen one, at every look. */
  readOften(shown) {
    if (this.store.rows.size < ALL_ARE_READ) return;
    const { chosen } = this.processes, pids = shown.map(({ id }) => id);
    if (chosen !== null) pids.unshift(chosen);
    if (String(pids) === this.readFirst) return;
    this.readFirst = String(pids);
    this.ask({ do: "first", pids });
  }

  // From Python

  receive(message) {
    if (message.unread) this.unread = unreadText(message.unread);
    if (message.kind === "all" && (message.view === "" || message.view === this.id)) {
      this.store.applyAll(message);
      this.showChanges();
    } else if (message.kind === "changes" && this.store.number !== null) {
      if (this.store.applyChanges(message)) this.showChanges();
      else this.ask({ do: "all" });
    } else if (message.kind === "said") this.say(message.sentence);
    else if (message.kind === "file") this.save(message);
    else this.panel.receive(message);
  }

  async save({ form, packed }) {
    const text = await unpack(packed);
    const name = fileName(new Date(), form);
    download(form === "png" ? await raster(text) : new Blob([text], { type: KINDS[form] }), name);
    this.say(`Saved ${name}.`);
  }

  // What is shown

  say(sentence) {
    this.status.textContent = sentence;
  }

  /** Show the explorer's settings. */
  update() {
    const settings = Object.fromEntries(SETTINGS.map((name) => [name, this.model.get(name)]));
    this.element.classList.toggle("still", settings.still);
    this.toolbar.update(settings);
  }

  showChanges() {
    this.panel.refresh();
    this.drawUntilMarksExpire();
  }

  drawUntilMarksExpire() {
    clearTimeout(this.expiry);
    const next = this.store.expire();
    this.draw();
    this.panel.draw();
    this.expiry = next === null
      ? null
      : setTimeout(() => this.drawUntilMarksExpire(), next - Date.now() + 10);
  }

  /** Draw what the store knows; returns how many processes a search has found. */
  draw() {
    const [rows, found] = this.items.processes();
    this.processes.set(rows);
    this.spaces.set(this.items.spaces());
    const processes = countText(this.store.rows, "process", "processes");
    const namespaces = countText(this.store.spaces, "namespace", "namespaces");
    this.sums.textContent = `${processes}, ${namespaces}${this.unread}`;
    return found;
  }

  /** Show the namespaces of one type only; "" for all. */
  pick(type) {
    this.items.type = this.choice.value = type;
    for (const head of this.heads) head.setAttribute("aria-pressed", head.textContent === type);
    this.draw();
  }

  /** Show all about a process, a namespace, or the changes. */
  choose(what) {
    this.processes.chosen = this.items.pid = what.kind === "process" ? what.pid : null;
    this.spaces.chosen = this.items.space =
      what.kind === "namespace" ? `${what.type}:${what.ns}` : null;
    this.panel.show(what);
    this.draw();
  }

  toggle(id) {
    this.items.toggle(id);
    this.draw();
  }

  collapse(all) {
    this.items.collapse(all);
    this.draw();
  }

  find(query) {
    this.items.query = query;
    const found = this.draw();
    this.say(query ? `${found} of ${this.store.rows.size} processes found.` : "");
  }
}

function render({ model, el }) {
  const view = new ExplorerView(model);
  const receive = (message) => view.receive(message);
  el.append(view.element);
  const stop = onChange(model, SETTINGS, () => view.update());
  model.on("msg:custom", receive);
  view.update();
  view.ask({ do: "all" });
  const unwatch = watch(model, el);
  return () => {
    unwatch();
    view.dispose();
    model.off("msg:custom", receive);
    stop();
  };
}

export default { render };
