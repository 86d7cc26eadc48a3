import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";

import { hintLabel, minutesAndSeconds } from "../../../nsedu/notebook/widgets/exercise_card.js";
import { fileName, pack, unpack } from "../../../nsedu/notebook/widgets/explorer/files.js";
import { stateText } from "../../../nsedu/notebook/widgets/explorer/toolbar.js";
import { button, h, onChange, send, watch } from "../../../nsedu/notebook/widgets/shared.js";

/** As much of an element as h() needs. */
class Element extends EventTarget {
  attributes = {};
  children = [];

  constructor(tag) {
    super();
    this.tag = tag;
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  append(...children) {
    this.children.push(...children);
  }
}

/** A page whose tab is in front, and what tells whether an element is in its window. */
function page(t) {
  const observers = [];
  class IntersectionObserver {
    constructor(callback) {
      observers.push((isIntersecting) => callback([{ isIntersecting }]));
    }

    observe() {}

    disconnect() {}
  }
  const document = Object.assign(new EventTarget(), {
    visibilityState: "visible", createElement: (tag) => new Element(tag),
  });
  const names = { document, window: new EventTarget(), IntersectionObserver };
  Object.assign(globalThis, names);
  t.after(() => Object.keys(names).forEach((name) => delete globalThis[name]));
  return { document, scroll: (inWindow) => observers[0](inWindow) };
}

/** A model, and what was sent by it. */
function model() {
  const sent = [];
  return Object.assign(new EventEmitter(), { sent, send: (content) => sent.push(content) });
}

/** A widget that is watched; gives what it has told Python about being visible. */
function watched(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const widget = { classList: new Set() }, from = model(), where = page(t);
  const stop = watch(from, { closest: () => widget });
  const told = () => from.sent.map(({ visible }) => visible);
  return { ...where, model: from, widget, stop, told };
}

test("an element has its attributes, and none that are false or null", (t) => {
  page(t);
  const made = h("p", { class: "note", hidden: true, role: null, title: false }, "text");
  assert.deepEqual(made.attributes, { class: "note", hidden: "" });
  assert.deepEqual(made.children, ["text"]);
});

test("a button hears a click, and keeps its keys from JupyterLab", (t) => {
  page(t);
  const press = t.mock.fn(), made = button("Go", press, { title: "go on" });
  made.dispatchEvent(new Event("click"));
  assert.equal(press.mock.callCount(), 1);
  assert.deepEqual(made.attributes,
    { type: "button", title: "go on", "data-lm-suppress-shortcuts": "true" });
});

test("a message is dropped when the kernel has ended", () => {
  send({ send: () => { throw new Error("closed"); } }, { do: "all" });
});

test("changes of the named traits are heard until that is stopped", (t) => {
  const from = model(), update = t.mock.fn(), stop = onChange(from, ["guess", "marks"], update);
  from.emit("change:guess");
  from.emit("change:said");
  from.emit("change:marks");
  stop();
  from.emit("change:guess");
  assert.equal(update.mock.callCount(), 2);
});

test("Python is told when a widget becomes visible, a second later again, and when not", (t) => {
  const { scroll, told } = watched(t);
  scroll(true);
  assert.deepEqual(told(), [true]);
  t.mock.timers.tick(1000);
  scroll(true);
  assert.deepEqual(told(), [true, true]);
  scroll(false);
  assert.deepEqual(told(), [true, true, false]);
});

test("a widget in a tab that is not in front is not visible", (t) => {
  const { document, scroll, told } = watched(t);
  scroll(true);
  document.visibilityState = "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(told(), [true, false]);
});

test("Python's question is answered only while the widget is visible", (t) => {
  const widget = watched(t);
  widget.model.emit("msg:custom", { ask: true });
  assert.deepEqual(widget.told(), []);
  widget.scroll(true);
  widget.model.emit("msg:custom", { ask: true });
  assert.deepEqual(widget.told(), [true, true]);
});

test("a view that is removed is no longer visible, and answers nothing", (t) => {
  const widget = watched(t);
  widget.scroll(true);
  widget.stop();
  widget.model.emit("msg:custom", { ask: true });
  assert.deepEqual(widget.told(), [true, false]);
});

test("a widget shows that its kernel has ended", (t) => {
  const widget = watched(t);
  widget.model.emit("comm_live_update");
  assert.deepEqual([...widget.widget.classList], ["nsedu-ended"]);
});

test("a time is shown in minutes and seconds", () => {
  assert.deepEqual([-1, 0, 59.9, 83.5, 6000].map(minutesAndSeconds),
    ["00:00", "00:00", "00:59", "01:23", "100:00"]);
});

test("the hint button says which one comes next", () => {
  assert.equal(hintLabel(0, 3), "Hint 1 of 3");
  assert.equal(hintLabel(3, 3), "No more hints");
});

test("the explorer says what it shows", () => {
  const texts = [
    { still: true, paused: true, scope: "mine" }, { paused: true, scope: "mine" },
    { scope: "machine" }, { scope: "process 7 and all below it" },
  ].map(stateText);
  assert.deepEqual(texts,
    ["a saved snapshot, not live", "paused", "live", "live, process 7 and all below it"]);
});

test("a text is packed and unpacked, however long", async () => {
  const text = "namespaces ▸ ".repeat(100_000);
  const packed = await pack(text);
  assert.match(packed, /^[\w+/]+=*$/);
  assert.equal(await unpack(packed), text);
});

test("a saved file is named by its time, without colons", () => {
  assert.equal(fileName(new Date("2024-02-03T04:05:06.789Z"), "svg"),
    "namespaces-2024-02-03T04-05-06.svg");
});
