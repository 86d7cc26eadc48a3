// What the widgets share.  It stands before the text of each, so nothing here is exported.

/** An element with attributes and children: h("button", {type: "button"}, "text"). */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const RENEW = 8000; // ms; Python forgets a view that it has not heard of for 20 s

/**
 * Tell Python whether anyone can see this element: it is in the window, and the tab is in front.
 * Told again and again while so, since a browser that dies says nothing.  Returns how to end it.
 */
function watch(model, el) {
  const view = Math.random().toString(36).slice(2);
  let inWindow = false, told = false, timer = null;
  const say = (visible) => {
    told = visible;
    clearInterval(timer);
    timer = visible ? setInterval(() => model.send({ view, visible: true }), RENEW) : null;
    model.send({ view, visible });
  };
  const update = () => {
    const visible = inWindow && document.visibilityState === "visible";
    if (visible !== told) say(visible);
  };
  const observer = new IntersectionObserver((entries) => {
    inWindow = entries[entries.length - 1].isIntersecting;
    update();
  });
  const leave = () => told && say(false);
  observer.observe(el);
  document.addEventListener("visibilitychange", update);
  window.addEventListener("pagehide", leave);
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", update);
    window.removeEventListener("pagehide", leave);
    leave();
  };
}
