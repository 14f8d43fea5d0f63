// Elements from text. Names of songs, artists and tags may hold anything: they only ever become text nodes.

export const $ = (id) => document.getElementById(id);

/** An element: `el("p", {class: "hint", onclick: f}, "text", child, …)`; null children are left out. */
export function el(name, attributes = {}, ...children) {
  const [tag, space] = name.startsWith("svg:") ? [name.slice(4), "http://www.w3.org/2000/svg"] : [name, null];
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const unseen = (text) => el("span", { class: "unseen" }, text);

/** Says something to those who listen to the page instead of looking at it. */
export function say(text) {
  $("status").textContent = text;
}

/** Shows what went wrong, until the next time it goes right. */
export function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

export function time(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export const tagName = (full) => full.slice(full.indexOf("/") + 1);
export const notionOf = (full) => full.slice(0, full.indexOf("/"));
export const number = (value) => value.toLocaleString("en");
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A function that runs once things have been quiet for so many milliseconds. */
export function debounced(run, wait) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(run, wait, ...given);
  };
}
