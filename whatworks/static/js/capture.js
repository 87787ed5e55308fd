// One dialog for every picture: solid black is painted into the pixels, by pointer, by two taps or
// by keyboard. What comes out is a new picture without the old one's metadata.

const LONGEST = 1600; // pixels of the longer side
const QUALITY = 0.85;
const STILL = 400; // milliseconds
const TAP = 6; // pixels that a finger may slip
const dialog = document.getElementById("redact");
const canvas = dialog.querySelector("canvas");
const said = dialog.querySelector("[role=status]");
let picture = null; // what was given, scaled
let boxes = [];
let corner = null; // the first of two
let cursor = null; // where the keyboard is

// One frame of what the person chose to show. Raises NotAllowedError when they chose nothing.
export async function screen() {
  const controller = "CaptureController" in globalThis ? new CaptureController() : undefined;
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, controller });
  try {
    controller?.setFocusBehavior("no-focus-change");
  } catch { /* a whole screen has no focus to keep */ }
  try {
    const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true });
    await video.play();
    await new Promise((resolve) => {
      video.requestVideoFrameCallback(resolve);
      setTimeout(resolve, STILL); // a window in which nothing moves sends one frame only
    });
    return await createImageBitmap(video);
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

// Ask what to hide. Fulfilled with a File, or null when the person thought better of it.
export async function redact(source) {
  const bitmap = await createImageBitmap(source);
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  [canvas.width, canvas.height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  picture = new OffscreenCanvas(canvas.width, canvas.height);
  picture.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  [boxes, corner, cursor] = [[], null, null];
  draw();
  dialog.returnValue = "";
  dialog.showModal();
  canvas.focus();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const shown = picture; // the next picture may come before this one is encoded
  paint(shown.getContext("2d"));
  picture = null;
  canvas.width = 0; // nothing of it stays in the page
  return dialog.returnValue === "keep" ? encoded(shown) : null;
}

async function encoded(painted) {
  let blob = await painted.convertToBlob({ type: "image/webp", quality: QUALITY });
  if (blob.type !== "image/webp") blob = await painted.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return new File([blob], `picture.${blob.type.split("/")[1]}`, { type: blob.type });
}

function paint(context) {
  context.fillStyle = "#000";
  for (const [x, y, width, height] of boxes) context.fillRect(x, y, width, height);
}

function draw(to) {
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  paint(context);
  const open = corner && (to ?? cursor);
  if (open) {
    context.fillStyle = "#000a";
    context.fillRect(...between(corner, open));
  }
  for (const point of [corner, cursor]) if (point) cross(context, point);
}

function cross(context, { x, y }) {
  const arm = canvas.width / 40;
  for (const [style, line] of [["#fff", 6], ["#0a5c4a", 2]]) {
    [context.strokeStyle, context.lineWidth] = [style, line];
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.stroke();
  }
}

// The rectangle of two corners, in whole pixels so that no edge shines through.
function between(a, b) {
  const [x, y] = [Math.floor(Math.min(a.x, b.x)), Math.floor(Math.min(a.y, b.y))];
  return [x, y, Math.ceil(Math.max(a.x, b.x)) - x, Math.ceil(Math.max(a.y, b.y)) - y];
}

function hide(a, b) {
  boxes.push(between(a, b));
  corner = null;
  say(boxes.length === 1 ? "Hidden. 1 part is black." : `Hidden. ${boxes.length} parts are black.`);
  draw();
}

function say(text) { said.textContent = text; }

function at({ clientX, clientY }) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return { x: ((clientX - left) * canvas.width) / width, y: ((clientY - top) * canvas.height) / height };
}

// Pointer: drag a rectangle, or tap two corners.
let down = null;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  down = { point: at(event), x: event.clientX, y: event.clientY, first: corner };
  cursor = null;
  corner ??= down.point;
});
canvas.addEventListener("pointermove", (event) => down && draw(at(event)));
canvas.addEventListener("pointerup", (event) => {
  if (!down) return;
  const slipped = Math.hypot(event.clientX - down.x, event.clientY - down.y);
  if (slipped > TAP) hide(down.point, at(event));
  else if (down.first) hide(down.first, at(event));
  else say("One corner is marked. Tap the opposite one.");
  down = null;
  draw();
});

// Keyboard: arrows move, with Shift finely; Enter or Space marks a corner.
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener("keydown", (event) => {
  const move = MOVES[event.key];
  if (move) go(move, event.shiftKey ? 200 : 40);
  else if (event.key === "Enter" || event.key === " ") press();
  else if (event.key === "Escape" && corner) unmark();
  else return;
  event.preventDefault();
});

function go([dx, dy], parts) {
  const stride = canvas.width / parts;
  const inside = (value, end) => Math.min(end, Math.max(0, value));
  cursor ??= { x: canvas.width / 2, y: canvas.height / 2 };
  cursor = { x: inside(cursor.x + dx * stride, canvas.width), y: inside(cursor.y + dy * stride, canvas.height) };
  say(`${Math.round((100 * cursor.x) / canvas.width)} across, ${Math.round((100 * cursor.y) / canvas.height)} down`);
  draw();
}

function press() {
  cursor ??= { x: canvas.width / 2, y: canvas.height / 2 };
  if (corner) return hide(corner, cursor);
  corner = cursor;
  say("One corner is marked. Move to the opposite one and press Enter.");
  draw();
}

function unmark() {
  corner = null;
  say("The corner is taken back.");
  draw();
}

dialog.querySelector("[data-undo]").addEventListener("click", () => {
  if (corner) return unmark();
  if (boxes.pop()) say("The last black part is taken back.");
  draw();
});
