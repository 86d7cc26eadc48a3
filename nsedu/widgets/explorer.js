// The explorer: a tree of processes, the namespaces beside it, and a panel about what was chosen.

const COLOUR = { user: "currentColor" }; // its colour of the pictures is black, which dark themes hide

/** Text ↔ what fits into one message: deflated, in base64. */
async function pack(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let word = "";
  for (let at = 0; at < bytes.length; at += 32768) word += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(word);
}
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** An SVG as a PNG, twice as large so that it is sharp. */
async function raster(svg) {
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = h("canvas", { width: 2 * image.naturalWidth, height: 2 * image.naturalHeight });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob(done, "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  const types = model.get("types");
  const store = new Store(types, model.get("links"));
  const shut = new Set(); // pids and types whose rows below are not shown
  let type = "", timer = null, wanted = "", notRead = "";

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
    oninput: () => draw(true),
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
  const heads = types.map(({ name, title }) => button(name, () => pick(type === name ? "" : name), {
    class: `type ${name}`, title: `show only ${title} namespaces`, "aria-pressed": "false",
  }));
  const chip = (name, letter) => h("span", { class: "chip", style: `--c: ${colour(name)}` }, letter);
  const badge = (mark) => (mark ? [h("span", { class: `badge ${mark}` }, mark)] : []);
  const processes = new Tree({
    label: "Processes",
    choose: (item) => choose({ kind: "process", pid: item.id }),
    toggle: (item) => toggle(item.id),
    seen: (items) => interest(items),
    describe: (item) => aboutProcess(item),
    fill: (item, more, twisty) => [
      h("span", { class: "name" }, twisty, h("span", { class: item.row.known ? "known" : "" }, item.row.name),
        ...(more.hides ? [h("span", { class: "hides" }, `+${more.hides}`)] : []), ...badge(more.mark)),
      h("span", { class: "pid" }, String(item.row.pid)),
      ...more.cells.map(({ letter, same, onward }, index) => h("span", {
        class: ["cell", same ? "same" : "other", onward && "onward", letter === "?" && "unread", types[index].name === type && "picked"]
          .filter(Boolean).join(" "),
        style: `--c: ${colour(types[index].name)}`,
      }, (same ? "·" : letter) + onward)),
    ],
  });
  const spaces = new Tree({
    label: "Namespaces",
    choose: (item) => (item.space ? choose({ kind: "namespace", type: item.space.type, ns: item.space.ns }) : toggle(item.id)),
    toggle: (item) => toggle(item.id),
    describe: (item) => (item.space ? aboutSpace(item.space) : aboutType(item)),
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
    type = choice.value = name;
    heads.forEach((head) => head.setAttribute("aria-pressed", head.textContent === name));
    draw();
  }

  function choose(what) {
    processes.chosen = what.kind === "process" ? what.pid : null;
    spaces.chosen = what.kind === "namespace" ? `${what.type}:${what.ns}` : null;
    panel.show(what);
    draw();
  }

  function toggle(id) {
    if (!shut.delete(id)) shut.add(id);
    draw();
  }

  function collapse(all) {
    shut.clear();
    if (all) for (const pid of store.children.keys()) if (pid) shut.add(pid);
    draw();
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

  /** The rows of processes from top to bottom; of a search, what is found and what is above it. */
  function processItems() {
    const sought = search.value.trim().toLowerCase();
    let found = null, matches = 0;
    if (sought) {
      found = new Set();
      for (const row of store.rows.values()) {
        if (!`${row.name}\n${row.pid}\n${row.command}`.toLowerCase().includes(sought)) continue;
        matches++;
        for (let at = row; at && !found.has(at.pid); at = store.rows.get(at.ppid)) found.add(at.pid);
      }
    }
    const items = [], met = new Set();
    const walk = (rows, level) => {
      const shown = found ? rows.filter((row) => found.has(row.pid)) : rows;
      shown.forEach((row, index) => {
        if (met.has(row.pid)) return;
        met.add(row.pid);
        const below = store.children.get(row.pid);
        const open = below ? found !== null || !shut.has(row.pid) : null;
        items.push({ id: row.pid, level, place: index + 1, size: shown.length, open, word: row.name.toLowerCase(), row });
        if (open) walk(below, level + 1);
      });
    };
    walk(store.children.get(0) || [], 1);
    // Parents change while they are read, so two may each seem to be below the other.
    walk([...store.rows.values()].filter((row) => !met.has(row.pid) && loops(row)), 1);
    return [items, sought ? matches : null];
  }

  /** Whether a process is, by what was read, above itself. */
  function loops(row) {
    const met = new Set();
    for (let at = row; at && !shut.has(at.pid); at = store.rows.get(at.ppid)) {
      if (met.has(at.pid)) return true;
      met.add(at.pid);
    }
    return false;
  }

  function hidden(pid) {
    const todo = [pid], met = new Set(todo);
    for (const at of todo) for (const { pid: below } of store.children.get(at) || []) if (!met.has(below)) todo.push(below) && met.add(below);
    return todo.length - 1;
  }

  function aboutProcess({ row, open }) {
    const cells = types.map((one) => store.cell(row, one));
    const words = cells.map(({ letter, same, onward }) => (same ? "·" : letter) + onward);
    const others = types.map(({ name }, index) => (words[index] === "·" ? "" : `${name} ${words[index]}`)).filter(Boolean);
    const member = spaces.chosen !== null && types.some(({ name }) => `${name}:${store.link(row, name)}` === spaces.chosen);
    const hides = open === false ? hidden(row.pid) : 0;
    const label = [
      `${row.name}, pid ${row.pid}`, row.mark, others.join(", "), others.length < types.length && "else as its parent",
      member && "in the chosen namespace", hides && `${hides} hidden below`,
    ].filter(Boolean).join("; ");
    const key = [row.name, row.mark, hides, type, member, ...words].join(",");
    return { key, label, mark: row.mark, look: member ? "member" : "", cells, hides };
  }

  function spaceItems() {
    const items = [];
    const shown = type ? types.filter((one) => one.name === type) : types;
    shown.forEach((one, index) => {
      const all = [...store.spaces.values()].filter((space) => space.type === one.name);
      const open = all.length === 0 ? null : !shut.has(one.name);
      items.push({ id: one.name, type: one, level: 1, place: index + 1, size: shown.length, open, word: one.name, count: all.length });
      if (!open) return;
      const present = new Set(all.map((space) => space.ns)), below = new Map();
      for (const space of all) {
        const above = one.nests && present.has(space.parent) ? space.parent : 0;
        if (!below.has(above)) below.set(above, []);
        below.get(above).push(space);
      }
      const walk = (list, level) => list.forEach((space, place) => {
        const nested = below.get(space.ns), open = nested ? !shut.has(space.id) : null;
        items.push({ id: space.id, space, level, place: place + 1, size: list.length, open, word: space.letter.toLowerCase() });
        if (open) walk(nested, level + 1);
      });
      walk(below.get(0) || [], 2);
    });
    return items;
  }

  function aboutType({ type: { name, title }, count }) {
    const words = count === 1 ? "1 namespace" : `${count} namespaces`;
    return { key: count, label: `${name}, ${words}`, mark: "", look: "head", title: title === name ? "" : title, who: words, count: "" };
  }

  function aboutSpace(space) {
    const count = store.count(space.id);
    const who = count === 0 ? "no process" : store.members(space.id)[0][0].name + (count > 1 ? " …" : "");
    const row = store.rows.get(processes.chosen);
    const member = Boolean(row) && store.link(row, space.type) === space.ns;
    const label = [
      `${space.type} ${space.letter}`, space.mark, count === 1 ? "1 process" : `${count} processes`, who, member && "the chosen process is in it",
    ].filter(Boolean).join(", ");
    const key = [space.letter, space.mark, who, count, member].join(",");
    return { key, label, mark: space.mark, look: member ? "member" : "", name: String(space.ns), who, count };
  }

  /** Show what the store knows now. */
  function draw(searched = false) {
    const [items, matches] = processItems();
    processes.set(items);
    spaces.set(spaceItems());
    const number = (things, word) => {
      const marks = { "": 0, new: 0, moved: 0, gone: 0 };
      for (const thing of things.values()) marks[thing.mark]++;
      const now = ["new", "moved", "gone"].filter((mark) => marks[mark]).map((mark) => `${marks[mark]} ${mark}`);
      return `${things.size - marks.gone} ${word}${now.length ? ` (${now.join(", ")})` : ""}`;
    };
    sums.textContent = `${number(store.rows, "processes")}, ${number(store.spaces, "namespaces")}${notRead}`;
    if (searched) say(matches === null ? "" : `${matches} of ${store.rows.size} processes found.`);
  }

  /** Tell Python which processes are looked at; it reads those again at every look. */
  function interest(items) {
    if (store.rows.size < 200) return; // it reads all of them
    const pids = [processes.chosen, ...items.map((item) => item.id)].filter((pid) => pid !== null);
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
