import assert from "node:assert/strict";
import { test } from "node:test";

import { Items } from "../../../nsedu/notebook/widgets/explorer/items.js";
import { row, store, TYPES } from "./explorer_fixture.js";

const items = (...changes) => new Items(store(...changes), TYPES);
const rows = (some) => some.processes()[0].map(({ id, level, open }) => [id, level, open]);
const ids = (shown) => shown.map(({ id }) => id);

function described(some, pid) {
  return some.describeProcess(some.processes()[0].find(({ id }) => id === pid));
}

test("processes are listed below their parents", () => {
  assert.deepEqual(rows(items()), [[1, 1, true], [2, 2, true], [3, 3, null], [4, 3, null]]);
});

test("each says its position among its siblings", () => {
  const [shown] = items().processes();
  assert.deepEqual(shown.map(({ position, size }) => `${position} of ${size}`),
    ["1 of 1", "1 of 1", "1 of 2", "2 of 2"]);
});

test("what is below a collapsed process is hidden until it is toggled again", () => {
  const some = items();
  some.toggle(2);
  assert.deepEqual(rows(some), [[1, 1, true], [2, 2, false]]);
  assert.equal(described(some, 2).hidden, 2);
  some.toggle(2);
  assert.equal(rows(some).length, 4);
});

test("collapsed to the first level, and expanded", () => {
  const some = items();
  some.collapse(true);
  assert.deepEqual(rows(some), [[1, 1, false]]);
  some.collapse(false);
  assert.equal(rows(some).length, 4);
});

test("a search shows what it finds and all above it, collapsed or not", () => {
  const some = items();
  some.collapse(true);
  some.query = "mars";
  const [shown, matches] = some.processes();
  assert.deepEqual([ids(shown), matches], [[1, 2, 3], 1]);
});

test("a search looks at names, pids and commands, in any case", () => {
  const some = items({ rows: [row(57, 1, "Web", 1)] });
  const found = (query) => {
    some.query = query;
    return some.processes()[1];
  };
  assert.deepEqual(["web", "57", "--now", "/bin/sh", "nothing"].map(found), [1, 1, 5, 1, 0]);
});

test("processes that seem to be below each other are shown once", () => {
  const some = items({ rows: [row(8, 9, "one", 1), row(9, 8, "other", 1)] });
  assert.deepEqual(ids(some.processes()[0]), [1, 2, 3, 4, 8, 9]);
  assert.equal(some.countBelow(8), 1);
});

test("namespaces are listed by type, and below their parents where the type nests", () => {
  assert.deepEqual(items().spaces().map(({ id, level, open }) => [id, level, open]), [
    ["uts", 1, true], ["uts:20", 2, null], ["uts:21", 2, null],
    ["pid", 1, true], ["pid:10", 2, true], ["pid:11", 3, null],
  ]);
});

test("namespaces of a type that does not nest are all on one level", () => {
  const [, ...spaces] = items({ spaces: [["uts", 22, "C", 20, 30, 0]] }).spaces();
  assert.deepEqual(spaces.slice(0, 3).map(({ level }) => level), [2, 2, 2]);
});

test("one type is shown, or one is collapsed", () => {
  const some = items();
  some.type = "uts";
  assert.deepEqual(ids(some.spaces()), ["uts", "uts:20", "uts:21"]);
  some.type = "";
  some.toggle("uts");
  assert.deepEqual(ids(some.spaces()), ["uts", "pid", "pid:10", "pid:11"]);
});

test("a process is read aloud with what differs from its parent", () => {
  const some = items({ rows: [row(5, 3, "cat", 2)] });
  assert.equal(described(some, 1).label, "init, pid 1; uts A, pid A");
  assert.equal(described(some, 4).label, "unshare, pid 4; pid ·▸B; else as its parent");
  assert.equal(described(some, 5).label, "cat, pid 5; new; else as its parent");
});

test("members of the chosen namespace are marked, and look different", () => {
  const some = items(), { key } = described(some, 3);
  some.space = "pid:11";
  assert.equal(described(some, 3).look, "member");
  assert.notEqual(described(some, 3).key, key);
  assert.equal(described(some, 4).look, "");
});

test("a namespace is described with its members, and whether the chosen process is one", () => {
  const some = items({ gone: [3] }), space = (id) => some.store.spaces.get(id);
  some.pid = 2;
  assert.equal(some.describeSpace(space("pid:10")).label,
    "pid A, 3 processes, init …, the chosen process is in it");
  assert.equal(some.describeSpace(space("pid:11")).label, "pid B, 0 processes, no process");
});

test("a type is described with its title and the number of its namespaces", () => {
  const types = TYPES.map((type) => items().describeType({ type, count: 1 }));
  assert.deepEqual(types.map(({ who }) => who), ["1 namespace", "1 namespace"]);
  assert.deepEqual(types.map(({ title }) => title), ["host name", ""]);
});
