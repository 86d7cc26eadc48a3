// What the view knows of processes and namespaces, kept up to date by Python's messages.

const MARKED_FOR = 4000; // ms for which what is new is marked, and what has gone still shown

export class Store {
  constructor(types, links) {
    this.types = types;
    this.indexOfLink = new Map(links.map((link, index) => [link, index])); // in a group
    this.clear();
  }

  clear() {
    this.rows = new Map(); // pid → row
    this.spaces = new Map(); // "uts:4026531838" → space
    this.groups = new Map(); // number → the ten links of all processes that refer to it
    this.number = null; // of the last message that was applied
    this.invalidate();
  }

  /** Start over with everything; nothing of it counts as new. */
  applyAll(message) {
    this.clear();
    this.number = message.number;
    this.apply(message, "");
  }

  /** Apply what has changed.  False if a message was missed, so that all must be asked for. */
  applyChanges(message) {
    if (this.number === null || message.number !== this.number + 1) return false;
    this.number = message.number;
    for (const pid of message.gone || []) this.mark(this.rows.get(pid), "gone");
    for (const id of message.lost || []) this.mark(this.spaces.get(id), "gone");
    this.apply(message, "new");
    return true;
  }

  apply(message, mark) {
    for (const [number, ...links] of message.groups || []) this.groups.set(number, links);
    for (const [pid, ppid, name, group, uid, command, known] of message.rows || []) {
      const row = { pid, ppid, name, group, uid, command, known, mark: "", until: 0 };
      const before = this.rows.get(pid);
      if (!before || before.mark === "gone") this.mark(row, mark);
      else if (before.group !== group) this.mark(row, "moved");
      else Object.assign(row, { mark: before.mark, until: before.until });
      this.rows.set(pid, row);
    }
    for (const [type, ns, letter, parent, owner, uid] of message.spaces || []) {
      const id = `${type}:${ns}`, before = this.spaces.get(id);
      const space = { id, type, ns, letter, parent, owner, uid, mark: "", until: 0 };
      if (!before || before.mark === "gone") this.mark(space, mark);
      this.spaces.set(id, space);
    }
    this.invalidate();
  }

  mark(thing, mark) {
    if (thing && mark) Object.assign(thing, { mark, until: Date.now() + MARKED_FOR });
  }

  /** Drop the marks whose time is over; returns when the next one ends, or null. */
  expire() {
    const now = Date.now();
    let next = null;
    for (const things of [this.rows, this.spaces]) {
      for (const [key, thing] of things) {
        if (!thing.mark) continue;
        if (thing.until > now) next = Math.min(next ?? Infinity, thing.until);
        else if (thing.mark === "gone") things.delete(key);
        else thing.mark = "";
      }
    }
    this.invalidate();
    return next;
  }

  /** Forget what was computed from the rows. */
  invalidate() {
    this.childLists = this.memberLists = null;
  }

  /** The children of each process, by pid; at 0 the rows whose parent is not visible. */
  get children() {
    if (this.childLists) return this.childLists;
    this.childLists = new Map();
    for (const row of [...this.rows.values()].sort((one, other) => one.pid - other.pid)) {
      const parent = row.ppid !== row.pid && this.rows.has(row.ppid) ? row.ppid : 0;
      if (!this.childLists.has(parent)) this.childLists.set(parent, []);
      this.childLists.get(parent).push(row);
    }
    return this.childLists;
  }

  /** Lists of living members of a namespace: most processes share all eight with others. */
  members(id) {
    this.memberLists ??= this.listMembers();
    return this.memberLists.get(id) || [];
  }

  /** The rows of each group as a list, and for each namespace the lists of its members. */
  listMembers() {
    const lists = new Map(); // number of a group → rows
    const listsOf = new Map(); // id of a namespace → such lists
    for (const row of this.rows.values()) {
      if (row.mark === "gone") continue;
      if (lists.has(row.group)) {
        lists.get(row.group).push(row);
        continue;
      }
      const list = [row];
      lists.set(row.group, list);
      for (const { name } of this.types) {
        const id = `${name}:${this.link(row, name)}`;
        if (!listsOf.has(id)) listsOf.set(id, []);
        listsOf.get(id).push(list);
      }
    }
    return listsOf;
  }

  /** How many living members a namespace has. */
  count(id) {
    return this.members(id).reduce((sum, list) => sum + list.length, 0);
  }

  /** Where a link of a process leads: an inode number, 0 if that could not be read. */
  link(row, link) {
    return this.groups.get(row.group)?.[this.indexOfLink.get(link)] || 0;
  }

  letter(type, ns) {
    return ns ? this.spaces.get(`${type}:${ns}`)?.letter ?? "?" : "?";
  }

  /** A process's namespace of a type: its letter, if the parent's is the same, the children's. */
  cell(row, type) {
    const ns = this.link(row, type.name), parent = this.rows.get(row.ppid);
    const lastLink = type.links[type.links.length - 1]; // for children, where there is such a link
    const ofChildren = lastLink === type.name ? ns : this.link(row, lastLink);
    return {
      letter: this.letter(type.name, ns),
      same: Boolean(ns && parent && parent !== row && this.link(parent, type.name) === ns),
      forChildren: ofChildren === ns ? "" : "▸" + this.letter(type.name, ofChildren),
    };
  }
}

/** How many things there are, and how many are marked: "3 processes (1 new, 1 gone)". */
export function countText(things, one, many) {
  const marks = { "": 0, new: 0, moved: 0, gone: 0 };
  for (const thing of things.values()) marks[thing.mark]++;
  const marked = ["new", "moved", "gone"].filter((mark) => marks[mark]);
  const text = plural(things.size - marks.gone, one, many);
  if (!marked.length) return text;
  return `${text} (${marked.map((mark) => `${marks[mark]} ${mark}`).join(", ")})`;
}

/** A number with its noun. */
export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}
