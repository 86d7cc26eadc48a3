// Which rows the two trees show of what the store knows, in which order, and what is to be said of each.

export class Items {
  constructor(store, types) {
    this.store = store;
    this.types = types;
    this.collapsed = new Set(); // pids and types and namespaces whose rows below are not shown
    this.type = ""; // the one that was picked; "" for all
    this.query = ""; // in lower case
    this.pid = null; // the process that was chosen
    this.space = null; // or the namespace, as "uts:4026531838"
  }

  /** Show what is below a row no more, or again. */
  toggle(id) {
    if (!this.collapsed.delete(id)) this.collapsed.add(id);
  }

  /** Show the first level only, or all. */
  collapse(all) {
    this.collapsed.clear();
    if (all) for (const pid of this.store.children.keys()) if (pid) this.collapsed.add(pid);
  }

  /** The processes from top to bottom; of a search, what is found and what is above it.  And how many are found. */
  processes() {
    const { store, collapsed, query } = this;
    let found = null, matches = 0;
    if (query) {
      found = new Set();
      for (const row of store.rows.values()) {
        if (!`${row.name}\n${row.pid}\n${row.command}`.toLowerCase().includes(query)) continue;
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
        const open = below ? found !== null || !collapsed.has(row.pid) : null;
        items.push({ id: row.pid, level, place: index + 1, size: shown.length, open, word: row.name.toLowerCase(), row });
        if (open) walk(below, level + 1);
      });
    };
    walk(store.children.get(0) || [], 1);
    // Parents change while they are read, so two may each seem to be below the other.
    walk([...store.rows.values()].filter((row) => !met.has(row.pid) && this.loops(row)), 1);
    return [items, matches];
  }

  /** Whether a process is, by what was read, above itself. */
  loops(row) {
    const { store, collapsed } = this;
    const met = new Set();
    for (let at = row; at && !collapsed.has(at.pid); at = store.rows.get(at.ppid)) {
      if (met.has(at.pid)) return true;
      met.add(at.pid);
    }
    return false;
  }

  /** How many are below a process. */
  below(pid) {
    const { store } = this, todo = [pid], met = new Set(todo);
    for (const at of todo) for (const { pid: below } of store.children.get(at) || []) if (!met.has(below)) todo.push(below) && met.add(below);
    return todo.length - 1;
  }

  aboutProcess({ row, open }) {
    const { store, types, type } = this;
    const cells = types.map((one) => store.cell(row, one));
    const words = cells.map(({ letter, same, onward }) => (same ? "·" : letter) + onward);
    const others = types.map(({ name }, index) => (words[index] === "·" ? "" : `${name} ${words[index]}`)).filter(Boolean);
    const member = this.space !== null && types.some(({ name }) => `${name}:${store.link(row, name)}` === this.space);
    const hides = open === false ? this.below(row.pid) : 0;
    const label = [
      `${row.name}, pid ${row.pid}`, row.mark, others.join(", "), others.length < types.length && "else as its parent",
      member && "in the chosen namespace", hides && `${hides} hidden below`,
    ].filter(Boolean).join("; ");
    const key = [row.name, row.mark, hides, type, member, ...words].join(",");
    return { key, label, mark: row.mark, look: member ? "member" : "", cells, hides };
  }

  /** The types and their namespaces, from top to bottom. */
  spaces() {
    const { store, types, collapsed, type } = this, items = [];
    const shown = type ? types.filter((one) => one.name === type) : types;
    shown.forEach((one, index) => {
      const all = [...store.spaces.values()].filter((space) => space.type === one.name);
      const open = all.length === 0 ? null : !collapsed.has(one.name);
      items.push({ id: one.name, type: one, level: 1, place: index + 1, size: shown.length, open, word: one.name, count: all.length });
      if (!open) return;
      const present = new Set(all.map((space) => space.ns)), below = new Map();
      for (const space of all) {
        const above = one.nests && present.has(space.parent) ? space.parent : 0;
        if (!below.has(above)) below.set(above, []);
        below.get(above).push(space);
      }
      const walk = (list, level) => list.forEach((space, place) => {
        const nested = below.get(space.ns), open = nested ? !collapsed.has(space.id) : null;
        items.push({ id: space.id, space, level, place: place + 1, size: list.length, open, word: space.letter.toLowerCase() });
        if (open) walk(nested, level + 1);
      });
      walk(below.get(0) || [], 2);
    });
    return items;
  }

  aboutType({ type: { name, title }, count }) {
    const words = count === 1 ? "1 namespace" : `${count} namespaces`;
    return { key: count, label: `${name}, ${words}`, mark: "", look: "head", title: title === name ? "" : title, who: words, count: "" };
  }

  aboutSpace(space) {
    const { store } = this;
    const count = store.count(space.id);
    const who = count === 0 ? "no process" : store.members(space.id)[0][0].name + (count > 1 ? " …" : "");
    const row = store.rows.get(this.pid);
    const member = Boolean(row) && store.link(row, space.type) === space.ns;
    const label = [
      `${space.type} ${space.letter}`, space.mark, count === 1 ? "1 process" : `${count} processes`, who, member && "the chosen process is in it",
    ].filter(Boolean).join(", ");
    const key = [space.letter, space.mark, who, count, member].join(",");
    return { key, label, mark: space.mark, look: member ? "member" : "", name: String(space.ns), who, count };
  }
}
