// Requests to the page's own server: JSON, and only the newest answer of each kind.

const latest = new Map();
const known = new Map();

let index = ""; // token of the index that the page was opened with: rows of another one are other songs

export class Refused extends Error {}

/** JSON of an address; Refused with the server's reason. */
export async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer: is it still running?");
  }
  const token = answer.headers.get("X-Tfmir-Index") || index;
  if (index && token !== index) {
    // It was made anew: the address holds all that was asked, by the songs' ids.
    location.reload();
    return new Promise(() => {});
  }
  index = token;
  const found = await answer.json().catch(() => ({ error: `the server answers ${answer.status}` }));
  if (!answer.ok) throw new Refused(found.error);
  return found;
}

/** As `ask`; undefined if a newer question of the same kind has been asked meanwhile. */
export async function newest(kind, address) {
  latest.get(kind)?.abort();
  const control = new AbortController();
  latest.set(kind, control);
  try {
    const found = await ask(address, { signal: control.signal });
    return latest.get(kind) === control ? found : undefined;
  } catch (error) {
    if (error.name === "AbortError" || latest.get(kind) !== control) return undefined;
    throw error;
  }
}

/** A track by its row, asked for once. */
export function track(row) {
  if (!known.has(row)) {
    const answer = ask(`api/track?row=${row}&index=${index}`);
    answer.catch(() => known.delete(row));
    known.set(row, answer);
    if (known.size > 2000) known.delete(known.keys().next().value);
  }
  return known.get(row);
}
