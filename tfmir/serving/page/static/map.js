// The map: points that are played by a click and reached by keys, coloured by the tags of a notion.

import { newest, track } from "./asking.js";
import { Chart, PALETTE } from "./chart.js";
import { $, debounced, el, say, tagName, trouble, unseen } from "./dom.js";
import { toggle } from "./player.js";
import { byline, songOf, tags, trackPlayer } from "./songs.js";

const NEAR = 14; // pixels
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let about, state, actions, chart, labels;
let loaded = "";

/** @param given.more called with a track. @param given.changed called when the space or the colour changes. */
export function startMap(about_, state_, given) {
  [about, state, actions] = [about_, state_, given];
  $("map-section").hidden = !about.maps.length;
  chart = new Chart($("map"));
  const spaces = about.maps.map((space) =>
    el("label", {}, el("input", { type: "radio", name: "space", value: space, onchange: () => {
      state.map = space;
      actions.changed();
    } }), el("span", {}, space)));
  $("spaces").replaceChildren(...spaces);
  $("colour").replaceChildren(...Object.keys(about.tags).map((notion) => el("option", { value: notion }, notion)));
  $("colour").addEventListener("change", () => {
    state.colour = $("colour").value;
    actions.changed();
  });
  listen();
  new ResizeObserver(() => chart.draw()).observe($("map"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.draw());
}

const space = () => state.map || about.maps[0];
const colour = () => state.colour || (space() in about.tags ? space() : Object.keys(about.tags)[0]);

/** Shows the space and the colour of the state; the points are asked for if they are of another space. */
export async function showMap() {
  if (!about.maps.length) return;
  for (const input of $("spaces").querySelectorAll("input")) input.checked = input.value === space();
  $("colour").value = colour();
  if (loaded !== space()) {
    const wanted = space();
    try {
      const found = await newest("map", `api/map?space=${encodeURIComponent(wanted)}`);
      if (!found) return;
      loaded = wanted;
      labels = found.labels;
      const row = chart.points.rows[chart.marks.active];
      chart.setPoints(found);
      chart.marks.active = chart.at.get(row) ?? -1;
    } catch (error) {
      trouble(error.message);
      return;
    }
  }
  $("map").setAttribute("aria-label", `Map of ${space() === "whole" ? "the whole of the sound" : space()}, ${chart.points.rows.length} songs`);
  paint();
  chart.draw();
}

/** Marks the song that is asked about and the hits. */
export function markOnMap(queryRow, hits) {
  chart.marks.query = queryRow;
  chart.marks.hits = new Map(hits.map((hit) => [hit.row, hit.rank]));
  chart.draw();
}

/** The most frequent tags have a colour each; the rest is grey. */
function paint() {
  const notion = colour();
  const { tags: numbers, predicted } = labels[notion];
  const counts = new Map();
  for (const tag of numbers) if (tag >= 0) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  const names = Object.keys(about.tags[notion]);
  const order = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, PALETTE.length);
  const place = new Map(order.map((tag, at) => [tag, at]));
  chart.setColours(numbers.map((tag) => place.get(tag) ?? -1), predicted);
  const entry = (fill, text, count, ring) => {
    const dot = el("span", { class: ring ? "dot ring" : "dot", "aria-hidden": "true" });
    if (fill) dot.style.setProperty("--dot", fill);
    return el("li", {}, dot, text, count === null ? null : el("span", { class: "count" }, ` ${count}`));
  };
  const rest = numbers.length - order.reduce((sum, tag) => sum + counts.get(tag), 0);
  const guessed = predicted.reduce((sum, flag) => sum + flag, 0);
  $("legend").replaceChildren(
    ...order.map((tag, at) => entry(PALETTE[at], tagName(names[tag]), counts.get(tag))),
    ...(rest ? [entry("", counts.size > order.length ? "other or none" : "none", rest)] : []),
    ...(guessed ? [entry("", "a ring: predicted", guessed, true)] : []),
  );
}

/** Makes a point the active one: it is told and shown below the map. */
async function activate(at) {
  if (at < 0 || at >= chart.points.rows.length) return;
  chart.marks.active = at;
  chart.reveal(at);
  chart.draw();
  const row = chart.points.rows[at];
  try {
    const song = await track(row);
    if (chart.points.rows[chart.marks.active] !== row) return;
    $("point").hidden = false;
    $("point").dataset.row = row;
    $("point").replaceChildren(
      el("h3", { dir: "auto" }, song.title), byline(song), trackPlayer(song), tags(song),
      el("button", { type: "button", class: "plain", onclick: () => actions.more(song) }, "More like this", unseen(`: ${song.title}`)),
    );
    const rank = chart.marks.hits.get(row);
    const part = rank ? `number ${rank} of the list` : chart.marks.query === row ? "the song that is asked about" : "";
    say([song.title, song.artist, part, ...song.tags.map(tagName)].filter(Boolean).join(", "));
    return song;
  } catch (error) {
    trouble(error.message);
  }
}

async function playActive() {
  const song = await activate(chart.marks.active);
  if (song) toggle(songOf(song));
}

function listen() {
  const canvas = $("map");
  const spot = (event) => [event.offsetX, event.offsetY];
  const hover = debounced((at) => at >= 0 && at !== chart.marks.active && activate(at), 60);
  let grip = null;
  canvas.addEventListener("pointerdown", (event) => (grip = { x: event.offsetX, y: event.offsetY, moved: false }));
  canvas.addEventListener("pointermove", (event) => {
    if (grip && event.buttons && chart.view.zoom > 1) {
      const [dx, dy] = [event.offsetX - grip.x, event.offsetY - grip.y];
      if (!grip.moved && Math.hypot(dx, dy) < 5) return;
      canvas.setPointerCapture(event.pointerId);
      chart.moveBy(dx, dy);
      grip = { x: event.offsetX, y: event.offsetY, moved: true };
      chart.draw();
    } else if (!event.buttons && event.pointerType === "mouse") {
      const at = chart.nearest(...spot(event), NEAR);
      canvas.classList.toggle("on-point", at >= 0);
      hover(at);
    }
  });
  canvas.addEventListener("click", (event) => {
    const at = grip?.moved ? -1 : chart.nearest(...spot(event), NEAR + 6);
    grip = null;
    if (at < 0) return;
    chart.marks.active = at;
    playActive();
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, spot(event));
  }, { passive: false });
  canvas.addEventListener("keydown", onKey);
  canvas.addEventListener("focus", () => {
    if (chart.marks.active < 0) activate(chart.at?.get(chart.marks.query) ?? chart.nearest(chart.width / 2, chart.height / 2, Infinity));
  });
  $("zoom-in").addEventListener("click", () => zoom(1.6));
  $("zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  $("zoom-all").addEventListener("click", () => zoom(0));
}

function zoom(factor, at) {
  chart.zoomBy(factor, at);
  $("map").classList.toggle("zoomed", chart.view.zoom > 1);
  chart.draw();
}

async function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const active = chart.marks.active;
  if (ARROWS[event.key] && active >= 0) activate(chart.towards(active, ...ARROWS[event.key]));
  else if (event.key === "Enter" || event.key === " ") playActive();
  else if (event.key === "m" || event.key === "M") {
    const song = active >= 0 && (await activate(active));
    if (song) actions.more(song);
  } else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.6 : 1 / 1.6);
  else return;
  event.preventDefault();
}
