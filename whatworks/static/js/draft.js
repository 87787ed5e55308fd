// A long form is kept on this device while it is filled in, and when it cannot be sent.

import { notice } from "./notice.js";
import { choose, isPainted } from "./pictures.js";

const ALIVE = "/healthz";
const PATIENCE = 5000; // milliseconds

export async function draft(form, outbox) {
  const key = form.dataset.draft;
  const keep = () => outbox.keepDraft(key, fields(form));
  let typed = document.querySelector("[aria-invalid=true]"); // then the server's copy is the newer one
  let gone = false;
  form.addEventListener("input", () => {
    typed = true;
    keep();
  });
  form.addEventListener("submit", async (event) => {
    if (gone) return;
    event.preventDefault();
    const { submitter } = event;
    await keep();
    if (!(await alive())) return say(form);
    gone = true; // a draft is forgotten when the page after it is there, not before
    form.requestSubmit(submitter);
  });
  const kept = await outbox.draft(key);
  if (kept && !typed) restore(form, kept.fields);
  for (const area of form.querySelectorAll("textarea")) area.dataset.kept = "";
}

function fields(form) {
  const isKept = (value) => typeof value === "string" || isPainted(value); // a picture only as it came out of the dialog
  return [...new FormData(form)].filter(([name, value]) => name !== "idempotency_key" && isKept(value));
}

function restore(form, kept) {
  for (const field of form.elements) {
    const values = kept.filter(([name]) => name === field.name).map(([, value]) => value);
    if (!values.length || field.type === "hidden") continue;
    if (field.type === "radio" || field.type === "checkbox") field.checked = values.includes(field.value);
    else if (field.type === "file") choose(field, values);
    else [field.value] = values;
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

function say(form) {
  const text = "No connection. Everything you filled in is kept on this device; send it when you are back.";
  const place = form.querySelector("[data-draft-said]");
  if (place) place.textContent = text;
  else notice("draft", text);
}

async function alive() {
  try {
    return (await fetch(ALIVE, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}
