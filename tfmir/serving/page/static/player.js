// Players: one sound at a time, shown by every player of its song, wherever on the page that is.

import { el, time, trouble } from "./dom.js";

const sound = new Audio();
sound.preload = "none";
let playing = null; // key of the song that the sound is of
const players = new Set();

const SHAPES = { play: "M8 5.500v13l11-6.500z", pause: "M7 5h3.500v14H7zM13.500 5H17v14h-3.500z" };

/**
 * A play button, a position and a time.
 * @param song {key, source, title, seconds}; without a source it cannot be played.
 */
export function player(song) {
  const shape = el("svg:path", { d: SHAPES.play });
  const button = el(
    "button",
    { type: "button", class: "play", onclick: () => toggle(song), disabled: !song.source },
    el("svg:svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, shape),
  );
  const position = el("input", {
    type: "range", min: 0, max: Math.max(song.seconds, 0.1), step: 0.1, value: 0, class: "position",
    "aria-label": `Position in ${song.title}`, disabled: !song.source, oninput: () => seek(song, Number(position.value)),
  });
  const clock = el("span", { class: "clock" });
  const element = el("div", { class: "player" }, button, position, clock);
  const one = { song, element, button, shape, position, clock };
  players.add(one);
  show(one);
  return element;
}

export function toggle(song) {
  if (!song.source) return;
  if (playing === song.key && !sound.paused) sound.pause();
  else start(song);
}

function start(song) {
  if (playing !== song.key) {
    playing = song.key;
    sound.src = song.source;
  }
  sound.play().catch((error) => {
    if (error.name === "AbortError") return;
    trouble(`${song.title} cannot be played: its file is not there, or this browser does not know its format.`);
    playing = null;
    refresh();
  });
}

function seek(song, seconds) {
  if (playing === song.key && sound.readyState) {
    sound.currentTime = seconds;
    return;
  }
  const here = () => playing === song.key && (sound.currentTime = seconds); // another may be asked for meanwhile
  sound.addEventListener("loadedmetadata", here, { once: true });
  start(song);
}

function show({ song, button, shape, position, clock, element }) {
  const mine = playing === song.key;
  const goes = mine && !sound.paused;
  const at = mine ? sound.currentTime : 0;
  const length = (mine && Number.isFinite(sound.duration) && sound.duration) || song.seconds;
  shape.setAttribute("d", goes ? SHAPES.pause : SHAPES.play);
  button.setAttribute("aria-label", `${goes ? "Pause" : "Play"} ${song.title}`);
  element.classList.toggle("playing", mine);
  position.max = Math.max(length, 0.1);
  position.value = at;
  position.style.setProperty("--done", `${(100 * at) / Math.max(length, 0.1)}%`);
  position.setAttribute("aria-valuetext", `${time(at)} of ${time(length)}`);
  clock.textContent = song.source ? `${mine ? `${time(at)} / ` : ""}${time(length)}` : "no audio here";
}

function refresh() {
  for (const one of players) {
    if (one.element.isConnected) show(one);
    else if (one.wasConnected) players.delete(one);
    one.wasConnected ||= one.element.isConnected;
  }
}

for (const event of ["play", "pause", "timeupdate", "ended", "loadedmetadata"]) sound.addEventListener(event, refresh);
