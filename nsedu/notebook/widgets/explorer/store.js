// What the explorer's view knows of processes and namespaces, kept up to date by Python's messages.

const LINGER = 4000; // ms; so long what is new is marked, and so long what has gone is still shown

export class Store {
  constructor(types, links) {
    this.types = types;
    this.at = new Map(links.map((link, index) => [link, index])); // link → its place in a group
    this.clear();
  }

  clear() {
    this.rows = new Map(); // pid → row
    this.spaces = new Map(); // "uts:4026531838" → space
    this.groups = new Map(); // number → the ten links of all processes that refer to it
    this.number = null; // of the last message that was taken in
    this.invalidate();
  }

  /** Take in everything; nothing of it counts as new. */
  all(message) {
    this.clear();
    this.number = message.number;
    this.apply(message, "");
  }

  /** Take in what has changed.  False if a message was missed, so that all must be asked for. */
  changes(message) {
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
    if (thing && mark) Object.assign(thing, { mark, until: Date.now() + LINGER });
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

  invalidate() {
    this.below = this.crowds = null;
  }

  /** The rows below each, by pid; below 0: those whose parent is not in sight. */
  get children() {
    if (this.below) return this.below;
    this.below = new Map();
    for (const row of [...this.rows.values()].sort((one, other) => one.pid - other.pid)) {
      const above = row.ppid !== row.pid && this.rows.has(row.ppid) ? row.ppid : 0;
      if (!this.below.has(above)) this.below.set(above, []);
      this.below.get(above).push(row);
    }
    return this.below;
  }

  /** Lists of living members of a namespace; most processes live with others in all eight of theirs. */
  members(id) {
    if (!this.crowds) {
      const together = new Map(); // number of a group → rows
      this.crowds = new Map(); // id → such lists
      for (const row of this.rows.values()) {
        if (row.mark === "gone") continue;
        const known = together.get(row.group);
        if (known) {
          known.push(row);
          continue;
        }
        const list = [row];
        together.set(row.group, list);
        for (const { name } of this.types) {
          const id = `${name}:${this.link(row, name)}`;
          if (!this.crowds.has(id)) this.crowds.set(id, []);
          this.crowds.get(id).push(list);
        }
      }
    }
    return this.crowds.get(id) || [];
  }

  /** How many living members a namespace has. */
  count(id) {
    return this.members(id).reduce((sum, list) => sum + list.length, 0);
  }

  /** Where a link of a process leads: an inode number, 0 if that could not be read. */
  link(row, link) {
    return this.groups.get(row.group)?.[this.at.get(link)] || 0;
  }

  letter(type, ns) {
    return ns ? this.spaces.get(`${type}:${ns}`)?.letter ?? "?" : "?";
  }

  /** How a process stands to a type: its letter, whether that is as the parent's, and the children's. */
  cell(row, type) {
    const ns = this.link(row, type.name), above = this.rows.get(row.ppid);
    const onward = type.links[type.links.length - 1];
    const next = onward === type.name ? ns : this.link(row, onward);
    return {
      letter: this.letter(type.name, ns),
      same: Boolean(ns && above && above !== row && this.link(above, type.name) === ns),
      onward: next === ns ? "" : "▸" + this.letter(type.name, next),
    };
  }
}
