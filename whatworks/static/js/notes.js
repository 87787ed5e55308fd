// Notes keep themselves: on this device with every keystroke, at the server after a pause.

import { failed, kept, unsaved } from "./save.js";

const PAUSE = 1000; // milliseconds without a keystroke
const areas = new Map(); // slot -> what is known of it

export async function watch(area, outbox, run, step) {
  const note = { area, outbox, run, step, seen: null, kept: area.value, saving: null, pause: 0 };
  const slot = `${run}/note/${step}`;
  areas.set(slot, note);
  area.dataset.kept = "";
  area.addEventListener("input", () => keep(note, slot));
  area.addEventListener("blur", () => flush(note));
  addEventListener("pagehide", () => area.value !== note.kept && put(note, slot));
  const last = await outbox.accepted(slot);
  if (last) fill(slot, last.text, { rev: last.rev }); // if this page is older
}

// Words that came from elsewhere: the server, this outbox after a reload, or another tab.
export function fill(slot, text, { rev, seen }) {
  const note = areas.get(slot);
  if (!note || text === undefined || note.area.value !== note.kept) return; // mid-word
  if (rev !== undefined && rev <= Number(note.area.dataset.rev)) return; // known
  if (rev !== undefined) note.area.dataset.rev = rev;
  note.seen = seen ?? null;
  if (note.area.value === text) return;
  const focused = document.activeElement === note.area && note.area.selectionStart;
  note.kept = note.area.value = text;
  if (focused !== false) note.area.setSelectionRange(focused, focused);
}

// The server has a change: the next one grows out of it. In a conflict both texts are shown.
export function accepted({ slot, id, answer, body }) {
  const note = areas.get(slot.split("#")[0]);
  if (!note || answer.rev === undefined) return;
  if (note.seen === id && answer.text !== body.text) fill(slot, answer.text, answer);
  if (note.seen === id || note.seen === null) note.area.dataset.rev = Math.max(answer.rev, note.area.dataset.rev);
  for (const other of answer.conflict ? answer.kept : []) showOther(note, other);
}

async function keep(note, slot) {
  if (note.saving || note.area.value === note.kept) return; // who is saving looks again afterwards
  unsaved(note);
  let done;
  do {
    note.saving = put(note, slot);
    done = await note.saving;
    note.saving = null;
  } while (done && note.area.value !== note.kept);
  if (done) kept(note, note.outbox);
  clearTimeout(note.pause);
  note.pause = setTimeout(() => note.outbox.drain(), PAUSE);
}

async function put(note, slot) {
  const text = note.area.value;
  const body = { kind: "note", step: note.step, text: sendable(text), base_rev: Number(note.area.dataset.rev ?? 0) };
  try {
    const entry = await note.outbox.put(
      { slot, run: note.run, url: `/api/execution/${note.run}/event`, body, seen: note.seen },
      { quiet: true },
    );
    note.seen = entry.id;
    note.kept = text;
    return true;
  } catch {
    failed("Not saved: this device is full. Copy your note.");
    return false;
  }
}

// Half an emoji or a control character, as a paste may bring it, would make the whole note unreadable.
const sendable = (text) => (text.toWellFormed?.() ?? text).replaceAll("\0", "");

async function flush(note) {
  await note.saving;
  clearTimeout(note.pause);
  note.outbox.drain();
}

function showOther(note, { note_id, text }) {
  if (note.area.parentElement.querySelector(`[data-other="${note_id}"]`)) return;
  const seen = () => note.outbox.put({
    slot: `${note.run}/kept/${note_id}`,
    run: note.run,
    url: `/api/execution/${note.run}/event`,
    body: { kind: "kept", step: note.step, note_id },
  });
  const box = document.createElement("div");
  box.className = "conflict card";
  box.dataset.other = note_id;
  box.setAttribute("role", "status");
  const say = Object.assign(document.createElement("p"), { textContent: "Another device wrote this meanwhile. Both are kept:" });
  const words = Object.assign(document.createElement("p"), { className: "note", textContent: text });
  const button = (label, action) => {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "plain small", textContent: label });
    made.onclick = () => { box.remove(); action(); seen(); note.area.focus(); };
    return made;
  };
  const row = Object.assign(document.createElement("p"), { className: "row" });
  row.append(
    button("Add it to my note", () => {
      note.area.value = `${note.area.value}\n\n${text}`.trim();
      note.area.dispatchEvent(new Event("input", { bubbles: true }));
    }),
    button("Keep mine", () => {}),
  );
  box.append(say, words, row);
  note.area.after(box);
}
