// The explorer's two trees: the processes with their namespaces, and the namespaces by type.

import { h } from "../shared.js";
import { Tree } from "./tree.js";

/** The colour of a type; the pictures' black for user would not show on dark themes. */
function colour(type) {
  return type.name === "user" ? "currentColor" : type.colour;
}

function badges(mark) {
  return mark ? [h("span", { class: `badge ${mark}` }, mark)] : [];
}

/** The letter of a process's namespace of a type, "·" for the parent's. */
function cell({ letter, same, forChildren }, type, picked) {
  const classes = [
    "cell", same ? "same" : "other", forChildren && "onward", letter === "?" && "unread",
    picked && "picked",
  ];
  return h("span", { class: classes.filter(Boolean).join(" "), style: `--c: ${colour(type)}` },
    (same ? "·" : letter) + forChildren);
}

/** The tree of processes; `view` is told what is chosen, toggled and visible. */
export function processTree(view) {
  const { items, types } = view;
  return new Tree({
    label: "Processes",
    choose: (item) => view.choose({ kind: "process", pid: item.id }),
    toggle: (item) => view.toggle(item.id),
    onVisible: (shown) => view.readOften(shown),
    describe: (item) => items.describeProcess(item),
    fill: ({ row }, { hidden, mark, cells }, twisty) => [
      h("span", { class: "name" },
        twisty, h("span", { class: row.known ? "known" : "" }, row.name),
        ...(hidden ? [h("span", { class: "hides" }, `+${hidden}`)] : []), ...badges(mark)),
      h("span", { class: "pid" }, String(row.pid)),
      ...cells.map((one, index) => cell(one, types[index], types[index].name === items.type)),
    ],
  });
}

/** The content of the first column, for a namespace or a type. */
function spaceName({ space, type }, { name, mark, title }, types) {
  if (!space) return [h("strong", {}, type.name), h("span", { class: "hides" }, title)];
  const own = types.find((one) => one.name === space.type);
  const chip = h("span", { class: "chip", style: `--c: ${colour(own)}` }, space.letter);
  return [chip, h("code", {}, name), ...badges(mark)];
}

/** The tree of namespaces. */
export function namespaceTree(view) {
  const { items, types } = view;
  return new Tree({
    label: "Namespaces",
    choose: ({ id, space }) => {
      if (space) view.choose({ kind: "namespace", type: space.type, ns: space.ns });
      else view.toggle(id);
    },
    toggle: (item) => view.toggle(item.id),
    describe: (item) => (item.space ? items.describeSpace(item.space) : items.describeType(item)),
    fill: (item, description, twisty) => [
      h("span", { class: "name" }, twisty, ...spaceName(item, description, types)),
      h("span", { class: "who" }, description.who),
      h("span", { class: "count" }, String(description.count)),
    ],
  });
}
