import assert from "node:assert/strict";
import { test } from "node:test";

import { countText, plural } from "../../../nsedu/notebook/widgets/explorer/store.js";
import { PID, row, store, UTS } from "./explorer_fixture.js";

const marks = (things) => [...things].map(([key, { mark }]) => [key, mark]);
const names = (lists) => lists.flat().map(({ name }) => name);

test("nothing is marked as new at first", () => {
  assert.deepEqual(marks(store().rows), [[1, ""], [2, ""], [3, ""], [4, ""]]);
});

test("what comes, moves and goes is marked", () => {
  const { rows, spaces } = store({
    rows: [row(5, 1, "web", 1), row(2, 1, "sh", 2)], gone: [3], lost: ["uts:21"],
    spaces: [["uts", 22, "C", 0, 30, 0]],
  });
  assert.deepEqual(marks(rows), [[1, ""], [2, "moved"], [3, "gone"], [4, ""], [5, "new"]]);
  assert.deepEqual(marks(spaces), [
    ["uts:20", ""], ["uts:21", "gone"], ["pid:10", ""], ["pid:11", ""], ["uts:22", "new"],
  ]);
});

test("a process that changes without moving keeps its mark", () => {
  const { rows } = store({ rows: [row(5, 1, "web", 1)] }, { rows: [row(5, 1, "httpd", 1)] });
  assert.equal(rows.get(5).name, "httpd");
  assert.equal(rows.get(5).mark, "new");
});

test("a pid that is used again is a new process", () => {
  assert.equal(store({ gone: [3] }, { rows: [row(3, 1, "web", 1)] }).rows.get(3).mark, "new");
});

test("a missed message is noticed, and nothing of the next is applied", () => {
  const missed = store();
  assert.equal(missed.applyChanges({ number: 9, gone: [3] }), false);
  assert.equal(missed.rows.get(3).mark, "");
  assert.equal(missed.applyChanges({ number: 8, gone: [3] }), true);
});

test("marks expire, and what has gone is then forgotten", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1000 });
  const changed = store({ rows: [row(5, 1, "web", 1)], gone: [3] });
  assert.equal(changed.expire(), 5000);
  t.mock.timers.setTime(5000);
  assert.equal(changed.expire(), null);
  assert.equal(changed.rows.get(5).mark, "");
  assert.equal(changed.rows.has(3), false);
});

test("children are in the order of their pids, and at 0 are those without a visible parent", () => {
  const { children } = store({ rows: [row(9, 8, "stray", 1), row(5, 2, "late", 1)] });
  assert.deepEqual(names([children.get(2)]), ["mars", "unshare", "late"]);
  assert.deepEqual(names([children.get(0)]), ["init", "stray"]);
});

test("a process that is its own parent is at the top, and like no other", () => {
  const some = store({ rows: [row(9, 9, "odd", 1)] });
  assert.deepEqual(names([some.children.get(0)]), ["init", "odd"]);
  assert.equal(some.cell(some.rows.get(9), UTS).same, false);
});

test("members of a namespace are those whose own link leads there, if they live", () => {
  const some = store();
  assert.deepEqual(names(some.members("pid:10")), ["init", "sh", "unshare"]);
  assert.deepEqual(names(some.members("pid:11")), ["mars"]);
  assert.deepEqual(some.members("pid:12"), []);
  some.applyChanges({ number: 8, gone: [2] });
  assert.equal(some.count("pid:10"), 2);
});

test("a cell says whether a namespace is the parent's, and which one children will be in", () => {
  const some = store(), cell = (pid, type) => some.cell(some.rows.get(pid), type);
  assert.deepEqual(cell(1, UTS), { letter: "A", same: false, forChildren: "" });
  assert.deepEqual(cell(2, UTS), { letter: "A", same: true, forChildren: "" });
  assert.deepEqual(cell(3, PID), { letter: "B", same: false, forChildren: "" });
  assert.deepEqual(cell(4, PID), { letter: "A", same: true, forChildren: "▸B" });
});

test("what could not be read is a question mark, and not the parent's", () => {
  const some = store({ groups: [[4, 0, 0, 99]], rows: [row(5, 1, "web", 4), row(6, 5, "cat", 4)] });
  assert.deepEqual(some.cell(some.rows.get(6), PID), { letter: "?", same: false, forChildren: "" });
  assert.equal(some.cell(some.rows.get(6), UTS).letter, "?");
});

test("things are counted without those that have gone, and marks in words", () => {
  const { rows } = store({ rows: [row(5, 1, "web", 1), row(2, 1, "sh", 2)], gone: [3] });
  assert.equal(countText(rows, "process", "processes"), "4 processes (1 new, 1 moved, 1 gone)");
  assert.equal(countText(store().rows, "process", "processes"), "4 processes");
  assert.equal(plural(1, "process", "processes"), "1 process");
});
