// The explorer: a tree of processes, the namespaces beside it, and a panel about what was chosen.

import { h, watch } from "../shared.js";
import { download, pack, raster, unpack } from "./files.js";
import { Items } from "./items.js";
import { Panel } from "./panel.js";
import { Store } from "./store.js";
import { Tree } from "./tree.js";

const COLOUR = { user: "currentColor" }; // its colour of the pictures is black, which dark themes hide

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  const types = model.get("types");
  const store = new Store(types, model.get("links"));
  const items = new Items(store, types);
  let timer = null, wanted = "", notRead = "";

  const ask = (content) => {
    try {
      model.send({ view, ...content });
    } catch {
      // The kernel has ended, and the widget says so.
    }
  };
  const say = (sentence) => (status.textContent = sentence);
  const button = (label, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, label);

  // Above: what to look at, and what to do with it.
  const search = h("input", {
    type: "search", placeholder: "name, pid, command", "aria-label": "Search processes by name, pid or command",
    oninput: () => find(),
  });
  const scopes = ["mine", "machine"].map((scope) => button(scope, () => ask({ do: "look_at", scope }), { "data-scope": scope }));
  const pause = button("Pause", () => ask({ do: model.get("paused") ? "resume" : "pause" }));
  const mark = button("Mark", () => {
    ask({ do: "mark" });
    say("Marked. Compare shows what comes, goes and moves from now on.");
  }, { title: "remember this moment, to compare with later" });
  const compare = button("Compare", () => choose({ kind: "changes" }), { title: "what came, went and moved since the mark" });
  const file = h("input", { type: "file", accept: ".json,application/json", hidden: true, "aria-label": "A saved snapshot", onchange: () => load() });
  const live = button("Back to live", () => ask({ do: "look_at", scope: "" }));
  const state = h("span", { class: "state" });
  const bar = h("div", { class: "bar", role: "toolbar", "aria-label": "Explorer" },
    h("span", { class: "together", role: "group", "aria-label": "What to look at" }, ...scopes),
    search,
    button("Collapse", () => collapse(true), { title: "show only the first level" }),
    button("Expand", () => collapse(false), { title: "show all levels" }),
    pause, mark, compare,
    h("span", { class: "together", role: "group", "aria-label": "Files" },
      button("Save", () => ask({ do: "save" }), { title: "save this snapshot as JSON" }),
      button("Load", () => file.click(), { title: "show a saved snapshot" }),
      button("SVG", () => ask({ do: "picture", form: "svg" }), { title: "save a picture of the tree as SVG" }),
      button("PNG", () => ask({ do: "picture", form: "png" }), { title: "save a picture of the tree as PNG" })),
    file, live, state);

  // The two trees.
  const heads = types.map(({ name, title }) => button(name, () => pick(items.type === name ? "" : name), {
    class: `type ${name}`, title: `show only ${title} namespaces`, "aria-pressed": "false",
  }));
  const chip = (name, letter) => h("span", { class: "chip", style: `--c: ${colour(name)}` }, letter);
  const badge = (mark) => (mark ? [h("span", { class: `badge ${mark}` }, mark)] : []);
  const processes = new Tree({
    label: "Processes",
    choose: (item) => choose({ kind: "process", pid: item.id }),
    toggle: (item) => toggle(item.id),
    seen: (shown) => interest(shown),
    describe: (item) => items.aboutProcess(item),
    fill: (item, more, twisty) => [
      h("span", { class: "name" }, twisty, h("span", { class: item.row.known ? "known" : "" }, item.row.name),
        ...(more.hides ? [h("span", { class: "hides" }, `+${more.hides}`)] : []), ...badge(more.mark)),
      h("span", { class: "pid" }, String(item.row.pid)),
      ...more.cells.map(({ letter, same, onward }, index) => h("span", {
        class: ["cell", same ? "same" : "other", onward && "onward", letter === "?" && "unread", types[index].name === items.type && "picked"]
          .filter(Boolean).join(" "),
        style: `--c: ${colour(types[index].name)}`,
      }, (same ? "·" : letter) + onward)),
    ],
  });
  const spaces = new Tree({
    label: "Namespaces",
    choose: (item) => (item.space ? choose({ kind: "namespace", type: item.space.type, ns: item.space.ns }) : toggle(item.id)),
    toggle: (item) => toggle(item.id),
    describe: (item) => (item.space ? items.aboutSpace(item.space) : items.aboutType(item)),
    fill: (item, more, twisty) => [
      h("span", { class: "name" }, twisty, ...(item.space
        ? [chip(item.space.type, item.space.letter), h("code", {}, more.name), ...badge(more.mark)]
        : [h("strong", {}, item.type.name), h("span", { class: "hides" }, more.title)])),
      h("span", { class: "who" }, more.who),
      h("span", { class: "count" }, String(more.count)),
    ],
  });
  const choice = h("select", { "aria-label": "Type of namespace", onchange: () => pick(choice.value) },
    h("option", { value: "" }, "all types"), ...types.map(({ name, title }) => h("option", { value: name }, name === title ? name : `${name} (${title})`)));
  const panel = new Panel({ store, ask, choose: (what) => choose(what) });
  const status = h("p", { class: "said", role: "status", "aria-live": "polite" });
  const sums = h("p", { class: "sums" });

  const root = h("div", { class: "nsedu nsedu-explorer" }, bar,
    h("div", { class: "panes" },
      h("div", { class: "pane left" },
        h("div", { class: "heads" }, h("span", { class: "name" }, "process"), h("span", { class: "pid" }, "pid"), ...heads),
        processes.element),
      h("div", { class: "pane right" },
        h("div", { class: "heads" }, h("span", { class: "name" }, "namespaces of", choice), h("span", { class: "count" }, "processes")),
        spaces.element),
      panel.element),
    h("div", { class: "foot" }, status, sums));
  el.append(root);

  function colour(name) {
    return COLOUR[name] || types.find((one) => one.name === name).colour;
  }

  function pick(name) {
    items.type = choice.value = name;
    heads.forEach((head) => head.setAttribute("aria-pressed", head.textContent === name));
    draw();
  }

  function choose(what) {
    processes.chosen = items.pid = what.kind === "process" ? what.pid : null;
    spaces.chosen = items.space = what.kind === "namespace" ? `${what.type}:${what.ns}` : null;
    panel.show(what);
    draw();
  }

  function toggle(id) {
    items.toggle(id);
    draw();
  }

  function collapse(all) {
    items.collapse(all);
    draw();
  }

  function find() {
    items.query = search.value.trim().toLowerCase();
    const found = draw();
    say(items.query ? `${found} of ${store.rows.size} processes found.` : "");
  }

  async function load() {
    const chosen = file.files[0];
    file.value = ""; // so that the same file can be chosen again
    if (!chosen) return;
    say(`Loading ${chosen.name} …`);
    try {
      ask({ do: "load", packed: await pack(await chosen.text()) });
    } catch (error) {
      say(`${chosen.name} cannot be read: ${error.message}.`);
    }
  }

  async function keep({ form, packed }) {
    const text = await unpack(packed);
    const name = `namespaces-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${form}`;
    const kinds = { json: "application/json", svg: "image/svg+xml" };
    download(form === "png" ? await raster(text) : new Blob([text], { type: kinds[form] }), name);
    say(`Saved ${name}.`);
  }

  /** Show what the store knows now; returns how many processes a search has found. */
  function draw() {
    const [rows, found] = items.processes();
    processes.set(rows);
    spaces.set(items.spaces());
    const number = (things, one, many) => {
      const marks = { "": 0, new: 0, moved: 0, gone: 0 };
      for (const thing of things.values()) marks[thing.mark]++;
      const now = ["new", "moved", "gone"].filter((mark) => marks[mark]).map((mark) => `${marks[mark]} ${mark}`);
      const count = things.size - marks.gone;
      return `${count} ${count === 1 ? one : many}${now.length ? ` (${now.join(", ")})` : ""}`;
    };
    sums.textContent = `${number(store.rows, "process", "processes")}, ${number(store.spaces, "namespace", "namespaces")}${notRead}`;
    return found;
  }

  /** Tell Python which processes are looked at; it reads those again at every look. */
  function interest(shown) {
    if (store.rows.size < 200) return; // it reads all of them
    const pids = [processes.chosen, ...shown.map((item) => item.id)].filter((pid) => pid !== null);
    if (String(pids) === wanted) return;
    wanted = String(pids);
    ask({ do: "first", pids });
  }

  /** Show marks for as long as they last. */
  function age() {
    clearTimeout(timer);
    const next = store.expire();
    draw();
    panel.draw();
    timer = next === null ? null : setTimeout(age, next - Date.now() + 10);
  }

  /** Show what a message has told. */
  function take() {
    panel.refresh();
    age();
  }

  function told(message) {
    if (message.unread) {
      notRead = Object.entries(message.unread).map(([reason, count]) => `; could not read ${reason}: ${count}`).join("");
    }
    if (message.kind === "all" && (message.view === "" || message.view === view)) {
      store.all(message);
      take();
    } else if (message.kind === "changes" && store.number !== null) {
      if (!store.changes(message)) return ask({ do: "all" });
      take();
    } else if (message.kind === "said") say(message.sentence);
    else if (message.kind === "file") keep(message);
    else panel.take(message);
  }

  function settings() {
    const still = model.get("still"), paused = model.get("paused"), scope = model.get("scope");
    root.classList.toggle("still", still);
    scopes.forEach((one) => one.setAttribute("aria-pressed", !still && one.dataset.scope === scope));
    live.hidden = !still;
    pause.hidden = still;
    pause.textContent = paused ? "Resume" : "Pause";
    mark.hidden = still;
    compare.disabled = !model.get("marked");
    state.textContent = still ? "a saved snapshot, not live" : paused ? "paused" : scope.startsWith("process") ? `live, ${scope}` : "live";
  }

  const traits = ["still", "paused", "scope", "marked"];
  for (const trait of traits) model.on(`change:${trait}`, settings);
  model.on("msg:custom", told);
  settings();
  ask({ do: "all" });
  const leave = watch(model, el);
  return () => {
    leave();
    clearTimeout(timer);
    processes.dispose();
    spaces.dispose();
    model.off("msg:custom", told);
    for (const trait of traits) model.off(`change:${trait}`, settings);
  };
}

export default { render };
