// A song of one's own: sent once, heard by the model, kept by nobody. Its sound is played from this browser.

import { ask } from "./asking.js";
import { $, say, trouble } from "./dom.js";

let mine = null; // the last file: {vector, source}

/** @param heard called with the server's answer. */
export function startUpload(about, heard) {
  const [button, input] = [$("upload"), $("file")];
  if (!about.uploads) {
    button.disabled = true;
    button.title = "Uploads are off: start the page with --run or --endpoint";
    button.textContent = "Uploads are off";
    return;
  }
  const send = async (file) => {
    if (!file) return;
    if (file.size > about.max_bytes) {
      trouble(`${file.name} is larger than ${about.max_bytes >> 20} MB.`);
      return;
    }
    button.disabled = true;
    button.textContent = "Listening…";
    button.setAttribute("aria-busy", "true");
    say(`${file.name} is being heard`);
    try {
      const found = await ask(`api/upload?name=${encodeURIComponent(file.name)}`, {
        method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
      });
      if (mine) URL.revokeObjectURL(mine.source);
      mine = { vector: found.vector, source: URL.createObjectURL(file) };
      trouble("");
      heard(found);
    } catch (error) {
      trouble(`${file.name}: ${error.message}`);
    } finally {
      button.disabled = false;
      button.textContent = "Upload a song";
      button.removeAttribute("aria-busy");
      input.value = "";
    }
  };
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => send(input.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    send(event.dataTransfer.files[0]);
  });
}

/** The sound of an uploaded song, if this window still has it. */
export const soundOf = (vector) => (mine?.vector === vector ? mine.source : "");
