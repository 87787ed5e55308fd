// For people who are signed in: their outbox, drafts, pictures, sign-out, and the offer to install.

import { dismiss, notice } from "./notice.js";
import { Outbox } from "./outbox.js";
import { chip } from "./save.js";

const DAY = 86_400_000; // milliseconds
const SHOWN = 80; // characters of what was refused
const { user } = document.documentElement.dataset;

// The person's outbox, or null where the browser keeps nothing; then pages work by their forms.
export const outbox = await open();
export const begun = outbox && begin();
if (user && !outbox) document.documentElement.dataset.plain = "";

function open() {
  if (!user || !isSecureContext || !("serviceWorker" in navigator) || !("locks" in navigator)) return null;
  return Outbox.open(user).catch(() => null);
}

async function begin() {
  keepPages();
  chip(outbox);
  tellRefusals();
  for (const form of document.querySelectorAll("form[action='/signout']")) form.addEventListener("submit", signOut);
  for (const form of document.querySelectorAll("form[data-draft]")) (await import("./draft.js")).draft(form, outbox);
  if (document.querySelector("[data-capture]")) (await import("./pictures.js")).takePictures(outbox);
  // The page that says it worked is below the form's own address.
  if (location.pathname.endsWith("/done")) outbox.dropDrafts(location.pathname.slice(1, -"/done".length));
  if (document.querySelector("#run[data-status=completed]")) localStorage.setItem("finished", "1");
  await warnOfOld();
  outbox.drain();
}

// An offer to install comes after the first finished workflow, never before.
addEventListener("beforeinstallprompt", async (event) => {
  event.preventDefault();
  (await import("./install.js")).offer(event);
});

async function signOut(event) {
  event.preventDefault();
  (await import("./signout.js")).signOut(event.target, outbox);
}

async function keepPages() {
  navigator.serviceWorker.register("/sw.js");
  if (localStorage.getItem("user") === user) return;
  localStorage.setItem("user", user);
  const pages = await caches.open("pages"); // somebody else's, on a shared device
  const mine = ["/offline", location.pathname];
  for (const page of await pages.keys()) if (!mine.includes(new URL(page.url).pathname)) pages.delete(page);
}

async function warnOfOld() {
  const [oldest] = await outbox.pending();
  if (!oldest || Date.now() - oldest.at < DAY) return;
  const { lang } = document.documentElement;
  const day = new Date(oldest.at).toLocaleDateString(lang, { weekday: "long", day: "numeric", month: "long" });
  notice("old", `Something from ${day} is still only on this device. Stay on a page with a connection until it has gone.`);
}

// What the server will never take is shown, not dropped.
async function tellRefusals() {
  const key = ({ slot }) => `refused-${slot}`;
  const tell = ({ entry, message }) => {
    const words = entry.body.text ?? entry.body.note;
    const step = entry.body.step ? `Step ${entry.body.step}: ` : "";
    const shown = words?.length > SHOWN ? `${words.slice(0, SHOWN)}…` : words;
    notice(key(entry), `${step}${message}${words ? ` You wrote: “${shown}”` : ""}`, {
      ...(words ? { "Copy the text": () => navigator.clipboard.writeText(words) } : {}),
      "Remove it from this device": () => outbox.forget(entry.id),
    });
  };
  outbox.addEventListener("refused", ({ detail }) => tell(detail));
  outbox.addEventListener("answer", ({ detail }) => dismiss(key(detail)));
  for (const entry of await outbox.refused()) tell({ entry, message: entry.message });
}
