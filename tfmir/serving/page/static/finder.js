// Picking a song by typing: a combobox after the ARIA pattern; the server looks, so a million songs are no matter.

import { newest } from "./asking.js";
import { $, debounced, el, number, say, trouble } from "./dom.js";

/** @param pick called with the track that was chosen. */
export function startFinder(pick) {
  const [input, list] = [$("finder"), $("found")];
  let tracks = [];
  let active = -1;

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (at) => {
    const track = tracks[at];
    if (!track) return;
    input.value = "";
    close();
    pick(track);
  };
  const mark = (at) => {
    active = at;
    [...list.querySelectorAll("[role=option]")].forEach((option, number_) => {
      option.setAttribute("aria-selected", String(number_ === at));
      if (number_ === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `found-${at}`);
  };
  const show = ({ total, tracks: found }) => {
    tracks = found;
    const options = found.map((track, at) =>
      el("li", { role: "option", id: `found-${at}`, "aria-selected": "false", onclick: () => choose(at), onpointermove: () => active !== at && mark(at) },
        el("span", { class: "name", dir: "auto" }, track.title),
        el("span", { class: "from" }, [track.artist, track.folder].filter(Boolean).join(" · "))));
    const rest = total > found.length ? `${number(total - found.length)} more: type on` : "";
    const last = !total ? "No song of this name" : rest;
    list.replaceChildren(...options, ...(last ? [el("li", { role: "presentation", class: "hint" }, last)] : []));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(-1);
    say(total ? `${number(total)} songs, arrow down to choose` : last);
  };
  const look = async () => {
    try {
      const found = await newest("find", `api/tracks?limit=12&q=${encodeURIComponent(input.value)}`);
      if (found && document.activeElement === input) show(found);
    } catch (error) {
      trouble(error.message);
    }
  };

  input.addEventListener("input", debounced(look, 90));
  input.addEventListener("focus", () => input.value && look());
  input.addEventListener("blur", () => setTimeout(close, 150));
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the input keeps the focus
  input.addEventListener("keydown", (event) => {
    const last = tracks.length - 1;
    const to = { ArrowDown: active < last ? active + 1 : 0, ArrowUp: active > 0 ? active - 1 : last, PageUp: 0, PageDown: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (list.hidden) look();
      else if (tracks.length) mark(to);
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      choose(Math.max(active, 0));
    } else if (event.key === "Escape") {
      if (list.hidden) input.value = "";
      else event.preventDefault();
      close();
    }
  });
}
