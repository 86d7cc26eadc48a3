// A tree of any size in a box that scrolls: only the rows that can be seen are on the page.

import { h, randomId } from "../shared.js";

const ROW = 24; // px
const SPARE = 6; // rows above and below what can be seen
const TYPING_PAUSE = 700; // ms, after which a letter begins a new word
const MAX_INDENT = 14; // levels

/** The index of the first row to draw, and of the one after the last. */
export function rowsToDraw(scrollTop, height, count) {
  return [
    Math.max(0, Math.floor(scrollTop / ROW) - SPARE),
    Math.min(count, Math.ceil((scrollTop + height) / ROW) + SPARE),
  ];
}

/**
 * Where to scroll so that the rows stay where they are while others come and go: of the rows from
 * the top of the box on, the first that is still there is kept in place.  null: scroll nowhere.
 */
export function scrollAfterChange(scrollTop, items, newIndex) {
  if (!scrollTop) return null;
  const top = Math.floor(scrollTop / ROW);
  for (let at = top; at < items.length; at++) {
    const index = newIndex.get(items[at].id);
    if (index !== undefined) return (index - (at - top)) * ROW + scrollTop % ROW;
  }
  return null;
}

/** Where to scroll so that a row can be seen. */
export function scrollToRow(index, scrollTop, height) {
  const top = index * ROW;
  if (top < scrollTop) return top;
  return top + ROW > scrollTop + height ? top + ROW - height : scrollTop;
}

/** The first item from an index on, and round, whose text begins like this. */
export function findTyped(items, from, typed) {
  const inOrder = [...items.slice(from), ...items.slice(0, from)];
  return inOrder.find((item) => item.searchText.startsWith(typed));
}

/** The index of the item that another is below, or -1. */
export function parentIndex(items, at) {
  return items.findLastIndex((item, index) => index < at && item.level < items[at].level);
}

/**
 * A tree.  What it shows is a list of items from top to bottom:
 *   id, level (from 1), position and size (among its siblings), open (true, false; null: has none
 *   below), searchText (what typing its beginning finds).
 * describe(item) returns more of one that can be seen: label (what is read aloud), key (another one
 * if it looks different), mark and look (classes), and what else fill(item, description, twisty)
 * makes its content of.  onVisible is called with the items that are drawn.
 * The keyboard's focus stays on the box, which names the active row; so a row may come and go.
 */
export class Tree {
  constructor({ label, describe, fill, choose, toggle, onVisible = () => {} }) {
    Object.assign(this, { describe, fill, choose, toggle, onVisible });
    this.prefix = `${randomId("t")}-`;
    this.items = [];
    this.index = new Map(); // id → index in items
    this.elements = new Map(); // id → element, of the rows that are drawn
    this.active = null;
    this.chosen = null;
    this.typed = "";
    this.height = 0; // px, of the box when it was drawn last
    this.typedAt = 0;
    this.inner = h("div", { role: "none", class: "nsedu-rows" });
    this.element = h("div", {
      role: "tree", tabindex: "0", "aria-label": label, class: "nsedu-tree",
      onkeydown: (event) => this.key(event),
      onscroll: () => this.drawSoon(),
      onfocus: () => this.focus(),
    }, this.inner);
    this.observer = new ResizeObserver(() => this.drawSoon());
    this.observer.observe(this.element);
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  /** Show these items, with the row that was at the top still there. */
  set(items) {
    const index = new Map(items.map((item, at) => [item.id, at]));
    const scrollTop = scrollAfterChange(this.element.scrollTop, this.items, index);
    this.items = items;
    this.index = index;
    this.inner.style.height = `${items.length * ROW}px`;
    if (scrollTop !== null) this.element.scrollTop = scrollTop;
    if (this.active !== null && !index.has(this.active)) this.active = null;
    this.draw();
  }

  drawSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    // While JupyterLab changes its theme the page has no layout: the height of before will return.
    this.height = this.element.clientHeight || this.height;
    const [first, last] = rowsToDraw(this.element.scrollTop, this.height, this.items.length);
    const drawn = new Map();
    for (let at = first; at < last; at++) drawn.set(this.items[at].id, this.drawRow(at));
    for (const [id, element] of this.elements) if (!drawn.has(id)) element.remove();
    let before = null;
    for (const element of drawn.values()) {
      const next = before ? before.nextSibling : this.inner.firstChild;
      if (next !== element) this.inner.insertBefore(element, next);
      before = element;
    }
    this.elements = drawn;
    const active = this.active !== null && drawn.has(this.active);
    if (active) this.element.setAttribute("aria-activedescendant", this.prefix + this.active);
    else this.element.removeAttribute("aria-activedescendant");
    this.onVisible(this.items.slice(first, last));
  }

  /** The element of the row at an index, as it is to look now. */
  drawRow(at) {
    const item = this.items[at];
    const element = this.elements.get(item.id) ?? this.makeRow(item.id);
    const description = this.describe(item);
    const key = [description.key, item.level, item.position, item.size, item.open].join("|");
    if (element.dataset.look !== key) this.fillRow(element, item, description, key);
    element.style.transform = `translateY(${at * ROW}px)`;
    element.setAttribute("aria-selected", item.id === this.chosen);
    element.classList.toggle("active", item.id === this.active);
    return element;
  }

  makeRow(id) {
    return h("div", {
      role: "treeitem", id: this.prefix + id, class: "nsedu-row",
      onclick: (event) => {
        this.active = id;
        const item = this.items[this.index.get(id)];
        if (!item) return;
        if (event.target.closest(".twisty") && item.open !== null) this.toggle(item);
        else this.choose(item);
        this.draw();
      },
    });
  }

  fillRow(element, item, description, key) {
    element.dataset.look = key;
    element.setAttribute("aria-level", item.level);
    element.setAttribute("aria-posinset", item.position);
    element.setAttribute("aria-setsize", item.size);
    element.setAttribute("aria-label", description.label);
    if (item.open === null) element.removeAttribute("aria-expanded");
    else element.setAttribute("aria-expanded", item.open);
    const indent = Math.min(item.level - 1, MAX_INDENT);
    const sign = item.open === null ? "" : item.open ? "▾" : "▸";
    element.replaceChildren(...this.fill(item, description, h("span", {
      class: "twisty", "aria-hidden": "true", style: `margin-left: calc(${indent} * var(--step))`,
    }, sign)));
    element.className = `nsedu-row ${description.mark} ${description.look}`;
  }

  /** Without an active row, activate the first in the window, which scrolls nothing. */
  focus() {
    this.active ??= this.items[Math.ceil(this.element.scrollTop / ROW)]?.id ?? null;
    this.draw();
  }

  /** Make a row the active one, and scroll to it. */
  activate(item) {
    if (!item) return;
    this.active = item.id;
    const { scrollTop, clientHeight } = this.element;
    const wanted = scrollToRow(this.index.get(item.id), scrollTop, clientHeight);
    if (wanted !== scrollTop) this.element.scrollTop = wanted;
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const last = this.items.length - 1;
    const at = this.index.get(this.active) ?? -1, item = this.items[at];
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 1);
    const go = (index) => this.activate(this.items[Math.max(0, Math.min(last, index))]);
    const keys = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(last),
      ArrowRight: () => {
        if (item?.open === false) this.toggle(item);
        else if (item?.open) go(at + 1);
      },
      ArrowLeft: () => {
        if (item?.open) this.toggle(item);
        else if (item) this.activate(this.items[parentIndex(this.items, at)]);
      },
      Enter: () => item && this.choose(item),
      " ": () => item && this.choose(item),
    };
    const act = keys[event.key];
    if (act) act();
    else if (event.key.length === 1) this.type(event.key.toLowerCase(), at);
    else return;
    event.preventDefault();
    this.draw();
  }

  /** Go to the next row that begins with what was typed just now. */
  type(letter, at) {
    const now = Date.now();
    this.typed = now - this.typedAt > TYPING_PAUSE ? letter : this.typed + letter;
    this.typedAt = now;
    this.activate(findTyped(this.items, this.typed.length === 1 ? at + 1 : at, this.typed));
  }
}
