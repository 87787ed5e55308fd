// Ways in for a picture: screen, paste, drop, file, camera. All lead through one dialog in which
// private parts are painted black, before anything is kept or sent.

import { notice } from "./notice.js";

const THUMB = 160; // pixels
const run = document.getElementById("run");
const painted = new WeakSet(); // files that came out of the dialog
let outbox;

export async function takePictures(opened) {
  outbox = opened;
  for (const button of document.querySelectorAll("[data-capture=screen]")) {
    if (!navigator.mediaDevices?.getDisplayMedia) button.hidden = true;
    button.addEventListener("click", () => take(home(button), async (capture) => capture.screen()));
  }
  document.addEventListener("change", ({ target }) => {
    if (target.type === "file" && isPlace(home(target)) && target.files.length) chosen(target);
  });
  document.addEventListener("paste", (event) => offered(event, event.clipboardData, place()));
  document.addEventListener("dragover", (event) => zone(event) && event.preventDefault());
  document.addEventListener("drop", (event) => offered(event, event.dataTransfer, zone(event)));
  if (!run) return;
  outbox.addEventListener("answer", ({ detail }) => sent(detail));
  for (const entry of await outbox.pending(run.dataset.execution)) if (entry.file) await preview(entry);
}

export const isPainted = (file) => painted.has(file);
const home = (element) => element?.closest?.("[data-proof], form"); // a step's pictures, or the form they go with
const isPlace = (found) => Boolean(found?.querySelector("[data-capture]"));
const zone = (event) => (isPlace(home(event.target)) ? home(event.target) : event.dataTransfer?.types.includes("Files") ? place() : null);
const place = () => home(document.querySelector(".step.now [data-capture]") ?? document.querySelector("[data-capture]"));

function offered(event, data, found) {
  const file = [...(data?.files ?? [])].find(({ type }) => type.startsWith("image/"));
  if (!file || !found) return;
  event.preventDefault();
  take(found, () => file);
}

function chosen(field) {
  const [file] = field.files;
  if (painted.has(file)) return;
  field.value = ""; // the picture as it was never leaves
  if (file.type === "application/pdf") deliver(home(field), file);
  else take(home(field), () => file);
}

async function take(found, source) {
  const capture = await import("./capture.js");
  try {
    const picture = await source(capture);
    const file = await capture.redact(picture);
    if (file) await deliver(found, file);
  } catch (failure) {
    if (failure.name === "NotAllowedError") return; // they thought better of it
    notice("picture", "This file cannot be read as a picture here. A screenshot, a PNG or a JPEG works.");
  }
}

// Put files into a field as if they had been chosen there.
export function choose(field, files) {
  const given = new DataTransfer();
  for (const file of files) given.items.add(file);
  field.files = given.files;
  for (const file of field.files) painted.add(file);
  const place = field.form.querySelector("[data-proofs]");
  place?.replaceChildren();
  if (place) for (const file of files) show(place, file).then((item) => item.append(remover(field, place)));
  for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
}

function remover(field, place) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: "Remove" });
  button.onclick = () => {
    field.value = "";
    place.replaceChildren();
    field.dispatchEvent(new Event("input", { bubbles: true })); // a draft forgets it, too
    field.focus();
  };
  return button;
}

async function deliver(found, file) {
  if (!found.matches("[data-proof]")) return choose(found.querySelector("input[type=file]:not([data-capture])"), [file]);
  const { execution } = run.dataset;
  const step = Number(found.closest("[data-step]").dataset.step);
  const entry = {
    slot: `${execution}/proof/${crypto.randomUUID()}`,
    run: execution,
    url: "/api/proof",
    body: { execution_id: execution, step },
    file: { bytes: await file.arrayBuffer(), type: file.type, name: file.name },
  };
  const item = await preview(entry, "Keeping it…"); // first, so that the answer finds it
  try {
    await outbox.put(entry);
    if (item && item.lastChild.textContent !== "Sent") item.lastChild.textContent = "On this device";
  } catch {
    item?.remove();
    notice("picture", "This device is full: the picture is not kept. Free some space and try again.");
  }
}

// A small copy among the step's pictures, painted rather than loaded.
async function preview({ slot, body, file }, text = "On this device") {
  const place = document.querySelector(`[data-proofs="${body.step}"]`);
  const item = place && (await show(place, new Blob([file.bytes], { type: file.type })));
  if (!item) return null;
  item.dataset.slot = slot;
  item.append(Object.assign(document.createElement("small"), { textContent: text }));
  return item;
}

async function show(place, file) {
  let list = place.querySelector(".thumbs");
  if (!list) {
    list = Object.assign(document.createElement("ul"), { className: "thumbs" });
    place.insertBefore(list, place.querySelector("[data-proof]"));
  }
  const item = document.createElement("li");
  const picture = await createImageBitmap(file).catch(() => null);
  if (picture) {
    const canvas = document.createElement("canvas");
    const scale = THUMB / Math.max(picture.width, picture.height);
    [canvas.width, canvas.height] = [picture.width * scale, picture.height * scale];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Your picture, with its black parts");
    item.append(canvas);
  } else item.append(file.name ?? "A document");
  list.append(item);
  return item;
}

function sent({ slot }) {
  const caption = document.querySelector(`li[data-slot="${slot}"] small`);
  if (caption) caption.textContent = "Sent";
}
