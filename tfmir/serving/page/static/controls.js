// What is searched for: a slider for each notion, filters, and what of them is set.

import { $, el, tagName } from "./dom.js";
import { hue } from "./songs.js";

const SHOWN = 60; // tags of a notion

/**
 * Builds the controls once.
 * @param changed called with `final`, false while a slider moves, and whether it was a slider.
 */
export function startControls(about, state, changed) {
  $("weights").hidden = !about.notions.length;
  $("sliders").replaceChildren(...about.notions.map((notion) => slider(notion, about, state, changed)));
  $("diverse").disabled = !about.artists;
  $("diverse-label").title = about.artists ? "" : "This catalogue names no artists";
  $("diverse").addEventListener("change", () => {
    state.diverse = $("diverse").checked;
    changed(true);
  });
  const groups = Object.entries(about.tags).map(([notion, tags]) => tagGroup(notion, tags, state, changed));
  $("tag-filter").hidden = !groups.some(Boolean);
  $("tag-groups").replaceChildren(...groups.filter(Boolean));
}

/** Shows the state, however it came about. */
export function showControls(state, changed) {
  for (const input of $("sliders").querySelectorAll("input")) {
    setSlider(input, state.weights[input.dataset.notion]);
  }
  const weights = Object.values(state.weights);
  $("whole-hint").hidden = !weights.length || weights.some((weight) => weight > 0);
  $("diverse").checked = state.diverse;
  $("tag-count").textContent = state.tags.length ? `(${state.tags.length})` : "";
  for (const button of $("tag-groups").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(state.tags.includes(button.dataset.tag)));
  }
  const without = (label, remove) =>
    el("li", {}, el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${label}`, onclick: () => {
      remove();
      changed(true);
      $("tag-filter").querySelector("summary").focus();
    } }, label, el("span", { "aria-hidden": "true" }, " ×")));
  $("chosen").replaceChildren(
    ...state.tags.map((tag) => without(tagName(tag), () => (state.tags = state.tags.filter((other) => other !== tag)))),
    ...(state.artist ? [without(state.artist, () => (state.artist = ""))] : []),
  );
}

function slider(notion, about, state, changed) {
  const input = el("input", { type: "range", min: 0, max: 1, step: 0.05, id: `weight-${notion}`, "data-notion": notion });
  const set = (final) => {
    state.weights[notion] = Number(input.value);
    changed(final, { moved: true });
  };
  input.addEventListener("input", () => set(false));
  input.addEventListener("change", () => set(true));
  const only = el("button", { type: "button", class: "link only", "aria-label": `Only ${notion}`, onclick: () => {
    for (const other of about.notions) state.weights[other] = other === notion ? 1 : 0;
    changed(true);
  } }, "only");
  const label = el("label", { for: input.id }, notion);
  return el("div", { class: `slider ${hue(notion)}` }, label, only, input, el("output", { for: input.id }));
}

function setSlider(input, weight) {
  input.value = weight;
  input.style.setProperty("--done", `${100 * weight}%`);
  input.setAttribute("aria-valuetext", `${Math.round(100 * weight)} percent`);
  input.parentElement.querySelector("output").textContent = `${Math.round(100 * weight)}`;
}

/** Tags of a notion that songs carry, the most frequent first; null if none does. */
function tagGroup(notion, tags, state, changed) {
  const carried = Object.entries(tags).filter(([, count]) => count).sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  if (!carried.length) return null;
  const buttons = carried.map(([tag, count]) =>
    el("button", { type: "button", class: "chip", "data-tag": tag, "aria-pressed": "false", title: `${count} songs`, onclick: () => {
      state.tags = state.tags.includes(tag) ? state.tags.filter((other) => other !== tag) : [...state.tags, tag];
      changed(true);
    } }, tagName(tag)));
  return el("fieldset", { class: hue(notion) }, el("legend", {}, notion), ...buttons);
}
