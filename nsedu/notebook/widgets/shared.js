// What the widgets share: elements, messages to Python, and whether anyone can see a widget.

const TAKES_KEYS = ["a", "button", "input", "select"];

/** An element with attributes and children: h("button", {type: "button"}, "text"). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  // JupyterLab takes letters as commands (d d deletes the cell) unless the focused element says no.
  if (TAKES_KEYS.includes(tag) || "tabindex" in attributes) {
    element.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  element.append(...children);
  return element;
}

/** A button that submits nothing. */
export function button(label, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, label);
}

/** A mark before or after words that say the same, so it is not read aloud. */
export function decoration(name) {
  return h("span", { class: name, "aria-hidden": "true" });
}

/** An id that no other view on the page has. */
export function randomId(prefix = "") {
  return prefix + Math.random().toString(36).slice(2);
}

/** Send a message to Python; it is dropped when the kernel has ended, as the widget then shows. */
export function send(model, content) {
  try {
    model.send(content);
  } catch {
    // anywidget raises where the connection to the kernel is closed.
  }
}

/** Call `update` when one of these traits changes.  Returns how to stop that. */
export function onChange(model, traits, update) {
  for (const trait of traits) model.on(`change:${trait}`, update);
  return () => {
    for (const trait of traits) model.off(`change:${trait}`, update);
  };
}

/**
 * Tell Python whether anyone can see this element: it is in the window, and the tab is in front.
 * Python asks again now and then, since a browser that dies sends nothing; there is no timer here
 * that could outlive the kernel.  `onVisible` is called when it becomes visible.  Returns how to
 * stop that.
 */
export function watch(model, el, onVisible = () => {}) {
  const view = randomId();
  let inWindow = false, visible = false, first = true;
  const report = () => send(model, { view, visible });
  const update = () => {
    const now = inWindow && document.visibilityState === "visible";
    if (now === visible) return;
    visible = now;
    report();
    // JupyterLab may not have a thread for the widget yet, and what is sent before that waits for
    // the end of the cell that runs: so it is sent once more.
    if (visible && first) setTimeout(() => visible && report(), 1000);
    first = false;
    if (visible) onVisible();
  };
  const observer = new IntersectionObserver((entries) => {
    inWindow = entries[entries.length - 1].isIntersecting;
    update();
  });
  const answer = (message) => message.ask && visible && report();
  const leave = () => {
    inWindow = false;
    update();
  };
  onKernelDeath(model, el);
  observer.observe(el);
  model.on("msg:custom", answer);
  document.addEventListener("visibilitychange", update);
  window.addEventListener("pagehide", leave);
  return () => {
    observer.disconnect();
    model.off("msg:custom", answer);
    document.removeEventListener("visibilitychange", update);
    window.removeEventListener("pagehide", leave);
    leave();
  };
}

/** Show on the widget that its kernel has ended: it will never answer again. */
export function onKernelDeath(model, el) {
  const widget = el.closest(".nsedu") ?? el.querySelector(".nsedu");
  model.on("comm_live_update", () => widget.classList.add("nsedu-ended"));
}

/**
 * What opens a terminal in a directory: a button where JupyterLab says that there are terminals,
 * else the words.  JupyterLab runs the command named by the attributes (its "command linker").
 */
export function openTerminal(directory) {
  const page = document.getElementById("jupyter-config-data");
  if (!page || !JSON.parse(page.textContent).terminalsAvailable) {
    return h("span", {}, "A terminal: in a window of your own, ", h("code", {}, `cd ${directory}`));
  }
  return h("button", {
    type: "button",
    "data-commandlinker-command": "terminal:create-new",
    // It takes one slash off, and the path for one below the directory that JupyterLab serves.
    "data-commandlinker-args": JSON.stringify({ cwd: `/${directory}` }),
  }, "Open a terminal here");
}

/** Copy a text, and say on the button that was pressed how that went. */
export async function copyText(text, pressed) {
  try {
    await navigator.clipboard.writeText(text);
    pressed.textContent = "Copied";
  } catch { // a page that was not served by this machine or over HTTPS may not
    pressed.textContent = "Mark the text to copy it";
  }
}
