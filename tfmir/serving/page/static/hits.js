// The list of hits: rows that stay the same row while they move, so that what plays or has the focus goes on.

import { $, calm, el, say } from "./dom.js";
import { byline, howMany, tags, trackPlayer, why } from "./songs.js";

const shown = new Map(); // row -> its element

/**
 * Shows an answer.
 * @param actions {more(track), onTag(tag), onArtist(name)}
 */
export function showHits(found, actions) {
  const before = new Map([...shown].map(([row, item]) => [row, item.getBoundingClientRect().top]));
  const items = found.hits.map((hit) => {
    const item = shown.get(hit.row) ?? make(hit, actions);
    item.querySelector(".rank").textContent = hit.rank;
    item.querySelector(".because").replaceChildren(...[why(hit, found) ?? el("p", { class: "hint" }, `score ${hit.score.toFixed(3)}`)]);
    return item;
  });
  place($("hits"), items);
  shown.clear();
  found.hits.forEach((hit, at) => shown.set(hit.row, items[at]));
  if (!calm()) for (const [row, item] of shown) glide(item, before.get(row));
  $("bars").hidden = !found.hits.length || !Object.keys(found.typical).length;
  $("summary").textContent = found.hits.length ? summary(found) : "No song passes the filters: remove one of them.";
  say(found.hits.length ? `${howMany(found.hits.length, "song")}, the first is ${found.hits[0].title}` : $("summary").textContent);
}

export function clearHits() {
  shown.clear();
  $("hits").replaceChildren();
  $("bars").hidden = true;
  $("summary").textContent = "";
}

function summary(found) {
  const by = Object.entries(found.weights).map(([notion, weight]) => (weight === 1 ? notion : `${notion} × ${weight}`));
  return by.length ? `by ${by.join(", ")}` : "by the whole of the sound";
}

function make(hit, { more, onTag, onArtist }) {
  return el("li", { class: "hit", "data-row": hit.row },
    el("span", { class: "rank", "aria-hidden": "true" }),
    el("div", { class: "who" }, el("h3", { title: hit.track_id, dir: "auto" }, hit.title), byline(hit, { onArtist })),
    el("div", { class: "because" }),
    trackPlayer(hit),
    el("div", { class: "below" }, tags(hit, { onTag }),
      el("button", { type: "button", class: "plain more", "aria-label": `More like ${hit.title}`, onclick: () => more(hit) }, "More like this")));
}

/** Moves only what is out of place: an element that is moved loses the focus. */
function place(list, items) {
  const wanted = new Set(items);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  let next = list.firstChild;
  for (const item of items) {
    if (item === next) next = next.nextSibling;
    else list.insertBefore(item, next);
  }
}

function glide(item, from) {
  const to = item.getBoundingClientRect().top;
  if (from === undefined) item.animate([{ opacity: 0 }, { opacity: 1 }], 160);
  else if (from !== to && Math.abs(from - to) < 3000) {
    item.animate([{ transform: `translateY(${from - to}px)` }, { transform: "none" }], { duration: 200, easing: "ease-out" });
  }
}
