// The page: its state, what is asked, and who shows the answer.

import { ask, newest } from "./asking.js";
import { showControls, startControls } from "./controls.js";
import { $, debounced, el, number, say, trouble } from "./dom.js";
import { startFinder } from "./finder.js";
import { clearHits, showHits } from "./hits.js";
import { markOnMap, showMap, startMap } from "./map.js";
import { player } from "./player.js";
import { byline, howMany, setAbout, tags, trackPlayer } from "./songs.js";
import { FIRST_TOP, fromAddress, toAddress, toQuestion } from "./state.js";
import { soundOf, startUpload } from "./upload.js";

let about;
let state;
let shownQuery = null;
let focusQuery = false;
let lastMove = 0;
const ONE_MOVE = 2000; // ms

const actions = {
  more(track) {
    ask_about({ like: track.track_id });
  },
  onTag(tag) {
    if (!state.tags.includes(tag)) state.tags.push(tag);
    changed(true);
  },
  onArtist(artist) {
    state.artist = artist;
    changed(true);
  },
  changed: () => changed(true),
};

/** Another song, with the weights and filters as they are. */
function ask_about(song, { predicted = null } = {}) {
  Object.assign(state, { like: "", vector: "", space: "", name: "", top: FIRST_TOP }, song);
  focusQuery = true;
  changed(true, { kept: { predicted } });
}

/** The state has changed: the hits follow at once, the address and the history when a slider rests. */
function changed(final, { moved = false, kept = history.state } = {}) {
  const address = `#${toAddress(state)}`;
  if (final && location.hash !== address) {
    // Moves of the sliders that follow each other are one step back.
    const again = moved && Date.now() - lastMove < ONE_MOVE;
    history[again ? "replaceState" : "pushState"](kept, "", address);
    lastMove = moved ? Date.now() : 0;
  }
  showControls(state, changed);
  if (final) showMap();
  if (final && !moved) search();
  else searchSoon();
}

const searchSoon = debounced(() => search(), 40);

async function search() {
  showQuery();
  $("csv").hidden = $("further").hidden = true;
  if (!state.like && !state.vector) {
    clearHits();
    markOnMap(-1, []);
    welcome();
    return;
  }
  $("welcome").hidden = true;
  const question = toQuestion(state);
  try {
    const found = await newest("search", `api/search?${question}`);
    if (!found) return;
    trouble("");
    showQuery(found.query);
    showHits(found, actions);
    markOnMap(found.query?.row ?? -1, found.hits);
    $("csv").href = `api/search.csv?${question}`;
    $("csv").hidden = !found.hits.length;
    $("further").hidden = found.hits.length < state.top || state.top >= 500;
  } catch (error) {
    clearHits();
    markOnMap(-1, []);
    trouble(error.message);
  }
}

/** The song that is asked about; the card is made anew only if it is another one. */
function showQuery(track) {
  const key = state.vector || state.like;
  if (!key) {
    shownQuery = null;
    $("query").hidden = true;
    return;
  }
  if (shownQuery === key || (!state.vector && !track)) return;
  shownQuery = key;
  const heading = (text) => el("h2", { tabindex: "-1", dir: "auto" }, text);
  const over = el("p", { class: "over" }, state.vector ? "Like your own song" : "Like this song");
  if (track) {
    $("query").replaceChildren(over, heading(track.title), byline(track), trackPlayer(track), tags(track, { onTag: actions.onTag }));
  } else {
    const title = state.name || "your song";
    const song = { key: `upload ${state.vector.slice(0, 20)}`, title, seconds: 0, source: soundOf(state.vector) };
    const predicted = history.state?.predicted;
    $("query").replaceChildren(over, heading(title), song.source ? player(song) : "",
      predicted ? tags({ tags: [], predicted }) : "");
  }
  $("query").hidden = false;
  if (focusQuery) $("query").querySelector("h2").focus();
  focusQuery = false;
  document.title = `${track?.title ?? state.name} – tfmir`;
}

/** Before a song is chosen: what to do, and some songs to begin with. */
async function welcome() {
  $("welcome").hidden = false;
  $("welcome").replaceChildren(el("p", {}, "Find a song above, or begin with one of these:"));
  try {
    const { tracks } = await ask("api/tracks?limit=6");
    const links = tracks.map((track) => el("li", {}, el("button", { type: "button", class: "plain", onclick: () => actions.more(track) }, track.title)));
    $("welcome").append(el("ul", {}, ...links));
  } catch (error) {
    trouble(error.message);
  }
}

/** The address was changed: by back or forward, or by hand. */
function restore() {
  Object.assign(state, fromAddress(location.hash.slice(1), about));
  showControls(state, changed);
  showMap();
  search();
}

async function start() {
  try {
    about = await ask("api/about");
  } catch (error) {
    trouble(error.message);
    return;
  }
  setAbout(about);
  state = fromAddress(location.hash.slice(1), about);
  $("about").textContent = [howMany(about.tracks, "song"), about.corpus, about.licence && `licence: ${about.licence}`,
    about.audio ? "" : "no audio is played: start the page with --audio_dir"].filter(Boolean).join(" · ");
  $("finder").placeholder = `Find one of ${number(about.tracks)} songs, or an artist`;
  startControls(about, state, changed);
  startMap(about, state, actions);
  startFinder(actions.more);
  startUpload(about, ({ vector, space, name, predicted }) => ask_about({ vector, space, name }, { predicted }));
  $("further").addEventListener("click", () => {
    state.top = Math.min(500, state.top + FIRST_TOP);
    changed(true);
    say(`${state.top} songs`);
  });
  addEventListener("popstate", restore);
  restore();
}

start();
