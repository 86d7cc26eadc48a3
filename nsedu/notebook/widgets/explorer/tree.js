// A tree of any size in a box that scrolls: only the rows that can be seen are on the page.

import { h } from "../shared.js";

const ROW = 24; // px
const SPARE = 6; // rows above and below what can be seen

/**
 * A tree.  What it shows is a list of items from top to bottom:
 *   id, level (from 1), place and size (among its siblings), open (true, false; null: has none below),
 *   word (what typing its beginning finds).
 * describe(item) says more of one that can be seen: label (what is read aloud), key (another one if it
 * looks other), mark and look (classes), and whatever fill(item, description, twisty) makes it of.
 * The keyboard's focus stays on the box, which says which row is active; so a row may come and go.
 */
export class Tree {
  constructor({ label, describe, fill, choose, toggle, seen = () => {} }) {
    Object.assign(this, { describe, fill, choose, toggle, seen });
    this.prefix = "t" + Math.random().toString(36).slice(2) + "-";
    this.items = [];
    this.index = new Map();
    this.elements = new Map();
    this.active = null;
    this.chosen = null;
    this.typed = "";
    this.inner = h("div", { role: "none", class: "nsedu-rows" });
    this.element = h("div", {
      role: "tree", tabindex: "0", "aria-label": label, class: "nsedu-tree",
      onkeydown: (event) => this.key(event),
      onscroll: () => this.later(),
      onfocus: () => this.enter(),
    }, this.inner);
    this.observer = new ResizeObserver(() => this.later());
    this.observer.observe(this.element);
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  /** Show these items, with the row that was at the top still there. */
  set(items) {
    const top = Math.floor(this.element.scrollTop / ROW), offset = this.element.scrollTop % ROW;
    // Of the rows in the window, the first that still is there stays where it is.
    let anchor = null;
    const next = new Map(items.map((item, index) => [item.id, index]));
    for (let at = top; this.element.scrollTop && at < this.items.length && anchor === null; at++) {
      const index = next.get(this.items[at].id);
      if (index !== undefined) anchor = index - (at - top);
    }
    this.items = items;
    this.index = next;
    this.inner.style.height = `${items.length * ROW}px`;
    if (anchor !== null) this.element.scrollTop = anchor * ROW + offset;
    if (this.active !== null && !next.has(this.active)) this.active = null;
    this.draw();
  }

  later() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const height = this.element.clientHeight;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - SPARE);
    const last = Math.min(this.items.length, Math.ceil((this.element.scrollTop + height) / ROW) + SPARE);
    const shown = new Map();
    for (let at = first; at < last; at++) {
      const item = this.items[at];
      const element = this.elements.get(item.id) ?? this.make(item.id);
      const more = this.describe(item);
      const key = [more.key, item.level, item.place, item.size, item.open].join("|");
      if (element.dataset.look !== key) this.refill(element, item, more, key);
      element.style.transform = `translateY(${at * ROW}px)`;
      element.setAttribute("aria-selected", item.id === this.chosen);
      element.classList.toggle("active", item.id === this.active);
      shown.set(item.id, element);
    }
    for (const [id, element] of this.elements) if (!shown.has(id)) element.remove();
    let before = null;
    for (const element of shown.values()) {
      const wanted = before ? before.nextSibling : this.inner.firstChild;
      if (wanted !== element) this.inner.insertBefore(element, wanted);
      before = element;
    }
    this.elements = shown;
    const active = this.active !== null && shown.has(this.active);
    if (active) this.element.setAttribute("aria-activedescendant", this.prefix + this.active);
    else this.element.removeAttribute("aria-activedescendant");
    this.seen(this.items.slice(first, last));
  }

  make(id) {
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

  refill(element, item, more, key) {
    element.dataset.look = key;
    element.setAttribute("aria-level", item.level);
    element.setAttribute("aria-posinset", item.place);
    element.setAttribute("aria-setsize", item.size);
    element.setAttribute("aria-label", more.label);
    if (item.open === null) element.removeAttribute("aria-expanded");
    else element.setAttribute("aria-expanded", item.open);
    const deep = Math.min(item.level - 1, 14);
    const sign = item.open === null ? "" : item.open ? "▾" : "▸";
    element.replaceChildren(...this.fill(item, more, h("span", {
      class: "twisty", "aria-hidden": "true", style: `margin-left: calc(${deep} * var(--step))`,
    }, sign)));
    element.className = `nsedu-row ${more.mark} ${more.look}`;
  }

  /** Without an active row, the first in the window is; a click that brings the focus moves nothing. */
  enter() {
    this.active ??= this.items[Math.ceil(this.element.scrollTop / ROW)]?.id ?? null;
    this.draw();
  }

  activate(id) {
    if (id === undefined || !this.index.has(id)) return;
    this.active = id;
    const top = this.index.get(id) * ROW, height = this.element.clientHeight;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + ROW > this.element.scrollTop + height) this.element.scrollTop = top + ROW - height;
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = this.index.get(this.active) ?? -1, item = this.items[at];
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 1);
    const go = (index) => this.activate(this.items[Math.max(0, Math.min(this.items.length - 1, index))]?.id);
    const keys = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(this.items.length - 1),
      ArrowRight: () => {
        if (item?.open === false) this.toggle(item);
        else if (item?.open) go(at + 1);
      },
      ArrowLeft: () => {
        if (item?.open) return this.toggle(item);
        const above = this.items.findLastIndex((other, index) => index < at && other.level < item.level);
        if (above >= 0) go(above);
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
    const pause = Date.now() - (this.typedAt || 0) > 700;
    this.typed = pause ? letter : this.typed + letter;
    this.typedAt = Date.now();
    const from = this.typed.length === 1 ? at + 1 : at;
    for (let step = 0; step < this.items.length; step++) {
      const item = this.items[(from + step + this.items.length) % this.items.length];
      if (item.word.startsWith(this.typed)) return this.activate(item.id);
    }
  }
}
