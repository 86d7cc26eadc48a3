// Two types of namespaces, and four processes: init and sh in the first namespaces, mars in its
// own, and unshare, whose children will be in those of mars.

import { Store } from "../../../nsedu/notebook/widgets/explorer/store.js";

export const TYPES = [
  { name: "uts", title: "host name", links: ["uts"], nests: false },
  { name: "pid", title: "pid", links: ["pid", "pid_for_children"], nests: true },
];
export const [UTS, PID] = TYPES;
const LINKS = ["pid", "pid_for_children", "uts"];
const ALL = {
  number: 7,
  groups: [[1, 10, 10, 20], [2, 11, 11, 21], [3, 10, 11, 20]],
  rows: [
    row(1, 0, "init", 1), row(2, 1, "sh", 1), row(3, 2, "mars", 2), row(4, 2, "unshare", 3),
  ],
  spaces: [
    ["uts", 20, "A", 0, 30, 0], ["uts", 21, "B", 0, 30, 0],
    ["pid", 10, "A", 0, 30, 0], ["pid", 11, "B", 10, 30, 0],
  ],
};

/** A process as Python sends it. */
export function row(pid, ppid, name, group) {
  return [pid, ppid, name, group, 0, `/bin/${name} --now`, false];
}

/** A store that knows all this, and then these changes. */
export function store(...changes) {
  const made = new Store(TYPES, LINKS);
  made.applyAll(ALL);
  changes.forEach((change, index) => made.applyChanges({ number: 8 + index, ...change }));
  return made;
}
