// Requests to the page's own server: JSON, and only the newest answer of each kind.

const latest = new Map();
const known = new Map();

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
    const answer = ask(`api/track?row=${row}`);
    answer.catch(() => known.delete(row));
    known.set(row, answer);
    if (known.size > 2000) known.delete(known.keys().next().value);
  }
  return known.get(row);
}
