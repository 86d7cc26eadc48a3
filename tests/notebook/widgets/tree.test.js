import assert from "node:assert/strict";
import { test } from "node:test";

import {
  findTyped, parentIndex, rowsToDraw, scrollAfterChange, scrollToRow,
} from "../../../nsedu/notebook/widgets/explorer/tree.js";

const ROW = 24; // px

/** Items of these names, with the level before the name: "2 sh". */
function list(...words) {
  return words.map((word) => {
    const [level, name] = word.split(" ");
    return { id: name, searchText: name, level: Number(level) };
  });
}

function indexOf(items) {
  return new Map(items.map(({ id }, index) => [id, index]));
}

test("the rows in the window are drawn, and six on either side", () => {
  assert.deepEqual(rowsToDraw(20 * ROW, 10 * ROW, 1000), [14, 36]);
  assert.deepEqual(rowsToDraw(20 * ROW + 7, 10 * ROW, 1000), [14, 37]);
});

test("no row is drawn before the first or after the last", () => {
  assert.deepEqual(rowsToDraw(0, 10 * ROW, 4), [0, 4]);
  assert.deepEqual(rowsToDraw(0, 10 * ROW, 0), [0, 0]);
});

test("the row at the top stays there when others come and go above it", () => {
  const before = list("1 a", "1 b", "1 c"), after = list("1 x", "1 y", "1 a", "1 b", "1 c");
  assert.equal(scrollAfterChange(1 * ROW + 7, before, indexOf(after)), 3 * ROW + 7);
  assert.equal(scrollAfterChange(3 * ROW + 7, after, indexOf(before)), 1 * ROW + 7);
});

test("when the row at the top goes, the next that stays keeps its place", () => {
  const before = list("1 a", "1 b", "1 c", "1 d"), after = list("1 a", "1 d");
  assert.equal(scrollAfterChange(1 * ROW, before, indexOf(after)), -1 * ROW);
});

test("nothing is scrolled at the top, or when no row stays", () => {
  const items = list("1 a", "1 b");
  assert.equal(scrollAfterChange(0, items, indexOf(list("1 x", "1 a"))), null);
  assert.equal(scrollAfterChange(ROW, items, indexOf([])), null);
});

test("a row outside the window is scrolled to its nearer edge", () => {
  assert.equal(scrollToRow(2, 5 * ROW, 10 * ROW), 2 * ROW);
  assert.equal(scrollToRow(20, 5 * ROW, 10 * ROW), 11 * ROW);
  assert.equal(scrollToRow(9, 5 * ROW, 10 * ROW), 5 * ROW);
});

test("what is typed is looked for from a row on, and round", () => {
  const items = list("1 sh", "2 sleep", "2 strace", "1 init");
  const found = (from, typed) => findTyped(items, from, typed)?.id;
  assert.equal(found(1, "s"), "sleep");
  assert.equal(found(2, "sl"), "sleep");
  assert.equal(found(4, "s"), "sh");
  assert.equal(found(0, "nothing"), undefined);
  assert.equal(findTyped([], 0, "s"), undefined);
});

test("the row above is the last one before it of a lower level", () => {
  const items = list("1 a", "2 b", "3 c", "2 d", "1 e");
  assert.deepEqual(items.map((_, at) => parentIndex(items, at)), [-1, 0, 1, 0, -1]);
});
