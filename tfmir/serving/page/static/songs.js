// How a song is shown, wherever it is: its name, its player, its tags.

import { el, notionOf, number, tagName, unseen } from "./dom.js";
import { player } from "./player.js";

const HUES = 6;
let about;

export function setAbout(found) {
  about = found;
}

/** The class that gives a notion its colour, the same everywhere on the page. */
export function hue(notion) {
  return `hue-${Math.max(0, Object.keys(about.tags).indexOf(notion)) % HUES}`;
}

export function songOf(track) {
  return {
    key: `song ${track.track_id}`, title: track.title, seconds: track.seconds,
    source: about.audio ? `audio?id=${encodeURIComponent(track.track_id)}` : "",
  };
}

export const trackPlayer = (track) => player(songOf(track));

/** Artist and folder on one line; the artist may be a filter. */
export function byline(track, { onArtist } = {}) {
  const artist = track.artist && onArtist
    ? el("button", { type: "button", class: "link", title: "Only songs of this artist", onclick: () => onArtist(track.artist) }, track.artist)
    : track.artist || null;
  return el("p", { class: "byline", dir: "auto" }, artist, track.artist && track.folder ? " · " : null, track.folder || null);
}

/**
 * Tags that the catalogue gives are filled and may be filters; those that the model predicts have a dashed line, a
 * percentage, and the word for those who listen.
 */
export function tags(track, { onTag } = {}) {
  const given = track.tags.map((full) => {
    const words = [unseen(`${notionOf(full)}: `), tagName(full)];
    const inner = onTag
      ? el("button", { type: "button", class: "tag", title: `Only songs tagged ${tagName(full)}`, onclick: () => onTag(full) }, ...words)
      : el("span", { class: "tag" }, ...words);
    return el("li", { class: hue(notionOf(full)) }, inner);
  });
  const guessed = track.predicted.map(({ tag, score }) =>
    el("li", { class: hue(notionOf(tag)) },
      el("span", { class: "tag predicted", title: `The model's guess of the ${notionOf(tag)}` },
        unseen(`predicted ${notionOf(tag)}: `), tagName(tag), el("span", { class: "score" }, ` ${Math.round(100 * score)} %`))));
  return el("ul", { class: "tags", "aria-label": "Tags" }, ...given, ...guessed);
}

/**
 * A bar for the cosine in each notion's sub-space: empty where it is that of a song at random, full at 1. Those that do
 * not count in the ranking are pale.
 */
export function why(hit, { weights, typical }) {
  const rows = Object.entries(hit.similarities).map(([notion, cosine]) => {
    const random = typical[notion];
    const bar = el("span", { class: "bar", title: `${cosine.toFixed(3)}; a song at random: ${random.toFixed(3)}` }, el("span", { class: "fill" }));
    bar.firstChild.style.setProperty("--part", Math.max(0, Math.min(1, (cosine - random) / Math.max(1 - random, 1e-3))));
    const counts = weights[notion] > 0 || !Object.keys(weights).length;
    return el("div", { class: `${hue(notion)} ${counts ? "" : "pale"}` },
      el("dt", {}, notion), el("dd", {}, bar, el("span", { class: "value" }, cosine.toFixed(2)), counts ? null : unseen(" (does not count)")));
  });
  return rows.length ? el("dl", { class: "why", "aria-label": "Why it is similar" }, ...rows) : null;
}

export const howMany = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
