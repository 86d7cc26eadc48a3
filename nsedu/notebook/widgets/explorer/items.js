// Which rows the two trees show of what the store knows, in which order, and how each is described.

import { plural } from "./store.js";

export class Items {
  constructor(store, types) {
    this.store = store;
    this.types = types;
    this.collapsed = new Set(); // pids, types and namespaces whose rows below are not shown
    this.type = ""; // the one that was picked; "" for all
    this.query = ""; // in lower case
    this.pid = null; // the process that was chosen
    this.space = null; // or the namespace, as "uts:4026531838"
  }

  /** Hide what is below a row, or show it again. */
  toggle(id) {
    if (!this.collapsed.delete(id)) this.collapsed.add(id);
  }

  /** Show the first level only, or all. */
  collapse(all) {
    this.collapsed.clear();
    if (all) for (const pid of this.store.children.keys()) if (pid) this.collapsed.add(pid);
  }

  /** The pids that the query finds, with those of all above them, and how many it finds itself. */
  find() {
    const { rows } = this.store;
    const found = new Set();
    let matches = 0;
    for (const row of rows.values()) {
      const text = `${row.name}\n${row.pid}\n${row.command}`.toLowerCase();
      if (!text.includes(this.query)) continue;
      matches++;
      for (let at = row; at && !found.has(at.pid); at = rows.get(at.ppid)) found.add(at.pid);
    }
    return [found, matches];
  }

  /** The processes from top to bottom, for a query those that `find` finds; and how many match. */
  processes() {
    const { store, collapsed } = this;
    const [found, matches] = this.query ? this.find() : [null, 0];
    const items = [], visited = new Set();
    const walk = (rows, level) => {
      const shown = found ? rows.filter((row) => found.has(row.pid)) : rows;
      shown.forEach((row, index) => {
        if (visited.has(row.pid)) return;
        visited.add(row.pid);
        const children = store.children.get(row.pid);
        const open = children ? found !== null || !collapsed.has(row.pid) : null;
        items.push({
          id: row.pid, level, position: index + 1, size: shown.length, open,
          searchText: row.name.toLowerCase(), row,
        });
        if (open) walk(children, level + 1);
      });
    };
    walk(store.children.get(0) || [], 1);
    // Parents change while they are read, so two may each seem to be below the other.
    const rest = [...store.rows.values()].filter((row) => !visited.has(row.pid));
    walk(rest.filter((row) => this.isAboveItself(row)), 1);
    return [items, matches];
  }

  /** Whether a process is, by what was read, above itself; not if a collapsed row hides it. */
  isAboveItself(row) {
    const { store, collapsed } = this;
    const visited = new Set();
    for (let at = row; at && !collapsed.has(at.pid); at = store.rows.get(at.ppid)) {
      if (visited.has(at.pid)) return true;
      visited.add(at.pid);
    }
    return false;
  }

  /** How many processes are below one. */
  countBelow(pid) {
    const pids = new Set([pid]);
    for (const at of pids) { // those that are added are visited, too
      for (const child of this.store.children.get(at) || []) pids.add(child.pid);
    }
    return pids.size - 1;
  }

  describeProcess({ row, open }) {
    const { store, types, type } = this;
    const cells = types.map((one) => store.cell(row, one));
    const words = cells.map((cell) => (cell.same ? "·" : cell.letter) + cell.forChildren);
    const others = types.flatMap(({ name }, index) =>
      words[index] === "·" ? [] : [`${name} ${words[index]}`]);
    const member = this.space !== null &&
      types.some(({ name }) => `${name}:${store.link(row, name)}` === this.space);
    const hidden = open === false ? this.countBelow(row.pid) : 0;
    const label = [
      `${row.name}, pid ${row.pid}`, row.mark, others.join(", "),
      others.length < types.length && "else as its parent",
      member && "in the chosen namespace", hidden && `${hidden} hidden below`,
    ].filter(Boolean).join("; ");
    const key = [row.name, row.mark, hidden, type, member, ...words].join(",");
    return { key, label, mark: row.mark, look: member ? "member" : "", cells, hidden };
  }

  /** The types and their namespaces, from top to bottom. */
  spaces() {
    const { store, types, collapsed } = this, items = [];
    const shown = this.type ? types.filter((one) => one.name === this.type) : types;
    shown.forEach((type, index) => {
      const spaces = [...store.spaces.values()].filter((space) => space.type === type.name);
      const open = spaces.length === 0 ? null : !collapsed.has(type.name);
      items.push({
        id: type.name, type, level: 1, position: index + 1, size: shown.length, open,
        searchText: type.name, count: spaces.length,
      });
      if (open) this.addSpaces(items, type, spaces);
    });
    return items;
  }

  /** Add the namespaces of a type, each below its parent where the type nests. */
  addSpaces(items, type, spaces) {
    const present = new Set(spaces.map((space) => space.ns));
    const children = new Map(); // by the parent's inode number; at 0 those without one
    for (const space of spaces) {
      const parent = type.nests && present.has(space.parent) ? space.parent : 0;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(space);
    }
    const walk = (list, level) => list.forEach((space, index) => {
      const nested = children.get(space.ns);
      const open = nested ? !this.collapsed.has(space.id) : null;
      items.push({
        id: space.id, space, level, position: index + 1, size: list.length, open,
        searchText: space.letter.toLowerCase(),
      });
      if (open) walk(nested, level + 1);
    });
    walk(children.get(0) || [], 2);
  }

  describeType({ type: { name, title }, count }) {
    const who = plural(count, "namespace", "namespaces");
    return {
      key: count, label: `${name}, ${who}`, mark: "", look: "head",
      title: title === name ? "" : title, who, count: "",
    };
  }

  describeSpace(space) {
    const { store } = this;
    const count = store.count(space.id);
    const who = count === 0
      ? "no process"
      : store.members(space.id)[0][0].name + (count > 1 ? " …" : "");
    const row = store.rows.get(this.pid);
    const member = Boolean(row) && store.link(row, space.type) === space.ns;
    const label = [
      `${space.type} ${space.letter}`, space.mark, plural(count, "process", "processes"), who,
      member && "the chosen process is in it",
    ].filter(Boolean).join(", ");
    const key = [space.letter, space.mark, who, count, member].join(",");
    return {
      key, label, mark: space.mark, look: member ? "member" : "",
      name: String(space.ns), who, count,
    };
  }
}
