// The whole state of the page, which is in its address: a copied address shows the same, back and forward work.

export const FIRST_TOP = 20;

export function empty(notions) {
  return {
    like: "", // id of a track
    vector: "", // or an uploaded song as the model hears it, with the model it was and its name
    space: "",
    name: "",
    weights: Object.fromEntries(notions.map((notion) => [notion, 1])),
    tags: [],
    artist: "",
    diverse: false,
    top: FIRST_TOP,
    map: "",
    colour: "",
  };
}

const readable = (text) =>
  encodeURIComponent(text).replace(/%2F/g, "/").replace(/%2C/g, ",").replace(/%3D/g, "=").replace(/%20/g, "+");

/** The state as `like=…&weights=mood=1,genre=0.2&…`; what is as usual is left out. */
export function toAddress(state) {
  const words = [];
  const add = (key, value) => value && words.push(`${key}=${readable(value)}`);
  for (const key of ["like", "vector", "space", "name"]) add(key, state[key]);
  if (Object.values(state.weights).some((weight) => weight !== 1)) add("weights", weightsText(state.weights) || "0");
  for (const tag of state.tags) add("tag", tag);
  add("artist", state.artist);
  add("diverse", state.diverse && "1");
  add("top", state.top !== FIRST_TOP && String(state.top));
  add("map", state.map);
  add("colour", state.colour);
  return words.join("&");
}

/** The inverse; what cannot be read is as usual. */
export function fromAddress(text, about) {
  const words = new URLSearchParams(text);
  const state = empty(about.notions);
  for (const key of ["like", "vector", "space", "name", "artist"]) state[key] = words.get(key) ?? "";
  if (words.has("weights")) {
    for (const notion of about.notions) state.weights[notion] = 0;
    for (const part of words.get("weights").split(",")) {
      const at = part.lastIndexOf("=");
      const [notion, weight] = [part.slice(0, at), Number(part.slice(at + 1))];
      if (about.notions.includes(notion) && weight >= 0 && weight <= 1) state.weights[notion] = weight;
    }
  }
  const tags = Object.values(about.tags).flatMap(Object.keys);
  state.tags = words.getAll("tag").filter((tag) => tags.includes(tag));
  state.diverse = words.get("diverse") === "1";
  const top = Number(words.get("top"));
  if (Number.isInteger(top) && top >= 1 && top <= 500) state.top = top;
  if (about.maps.includes(words.get("map"))) state.map = words.get("map");
  if (words.get("colour") in about.tags) state.colour = words.get("colour");
  return state;
}

export function weightsText(weights) {
  const heard = Object.entries(weights).filter(([, weight]) => weight > 0);
  return heard.map(([notion, weight]) => `${notion}=${weight}`).join(",");
}

/** What the server is asked for this state. */
export function toQuestion(state) {
  const words = new URLSearchParams();
  if (state.vector) {
    words.set("vector", state.vector);
    words.set("space", state.space);
  } else words.set("like", state.like);
  const weights = weightsText(state.weights);
  if (weights) words.set("weights", weights);
  for (const tag of state.tags) words.append("tag", tag);
  if (state.artist) words.set("artist", state.artist);
  if (state.diverse) words.set("diverse", "1");
  words.set("top", String(state.top));
  return words.toString();
}
