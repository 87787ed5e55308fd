// A run in the browser: every form of it goes through the outbox, and the page follows at once.

import { notice } from "./notice.js";
import * as notes from "./notes.js";
import { begun, outbox } from "./person.js";
import { failed, kept, unsaved } from "./save.js";
import * as steps from "./steps.js";
import * as timer from "./timer.js";

const run = document.getElementById("run");
const id = run.dataset.execution;
const door = `/api/execution/${id}/event`;
const asItCame = `<!doctype html>${document.documentElement.outerHTML}`;
const uncontrolled = !navigator.serviceWorker?.controller; // the worker comes later than this page
const ON = ["worked", "skipped"]; // results that lead to the next step
const FIELDS = { result: ["step", "result"], action: ["step", "action"], keep: ["gap_id", "keep"], note_id: ["step", "note_id"] }; // by the button's name
const KINDS = { result: "verdict", action: "timer", keep: "timer", note_id: "kept" };
const DOUBLE_TAP = 400; // milliseconds; its second half is not about the next step
const held = new Set(); // boxes on their way into the outbox: what the server tells of them is older
let leaving = false;

steps.begin();
// A sheet is put away by its button, or by the dimmed page around it.
run.addEventListener("click", ({ target }) => {
  if (target.closest("[data-shut]") || target.matches(".up")) target.closest(".up").open = false;
});
const isOld = timer.begin();
if (outbox) await Promise.all([connect(), begun]);
document.documentElement.dataset.ready = "";

async function connect() {
  await Promise.all([...run.querySelectorAll("[data-note]")].map((area) => notes.watch(area, outbox, id, steps.stepOf(area))));
  const last = await outbox.run(id);
  if (last && last.state.server_time > run.dataset.serverTime) apply(last.state, false);
  for (const entry of await outbox.refused()) if (entry.run === id && entry.body.kind === "note") foresee(entry); // to be mended
  for (const entry of await outbox.pending(id)) foresee(entry);
  outbox.addEventListener("answer", ({ detail }) => detail.run === id && heard(detail));
  outbox.addEventListener("put", ({ detail }) => detail.slot.startsWith(`${id}/`) && foresee(detail));
  document.addEventListener("submit", (event) => event.target.matches("form[data-op]") && take(event));
  document.addEventListener("change", ({ target }) => target.matches("[data-check]") && ticked(target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !steps.bar()?.inert) steps.bar()?.querySelector(".go").click();
    if (event.key === "Escape") putAway();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  if (isOld) refresh();
  keepHere();
}

// A form instead of its submit: kept, shown, sent.
async function take(event) {
  const { target: form, submitter } = event;
  event.preventDefault();
  const body = read(form, submitter);
  if (body.kind === "note") return; // notes keep themselves
  if (body.kind === "verdict" && ON.includes(body.result) && !submitter.closest("#unfinished") && steps.asksFirst(body)) {
    putAway();
    return;
  }
  if (["verdict", "timer"].includes(body.kind)) body.at = timer.nowText();
  if (!(await keep(body))) return;
  for (const field of said(form, submitter)) Object.assign(field, field.type === "radio" ? { checked: false } : { value: "" });
  foresee({ body }, true);
  if (body.kind === "kept") submitter.closest(".conflict").remove();
}

async function ticked(box) {
  held.add(box);
  await keep({ kind: "check", step: steps.stepOf(box), item: Number(box.dataset.check), checked: box.checked });
  held.delete(box);
}

async function keep(body) {
  unsaved(body);
  try {
    await outbox.put({ slot: slotOf(body), run: id, url: door, body });
    await kept(body, outbox);
    return true;
  } catch {
    failed("Not saved: this device is full.");
    return false;
  }
}

const things = { verdict: ({ step }) => `verdict/${step}`, check: ({ step, item }) => `check/${step}/${item}`, timer: () => `timer/${crypto.randomUUID()}` };
const slotOf = (body) => `${id}/${(things[body.kind] ?? (() => `${body.kind}/${crypto.randomUUID()}`))(body)}`;

// What a button says, as the JSON of the door. A step's form has more; that keeps itself.
function read(form, submitter) {
  const data = new FormData(form, submitter);
  const body = { kind: KINDS[submitter.name] ?? "note" };
  for (const name of FIELDS[submitter.name] ?? []) if (data.get(name)) body[name] = data.get(name);
  for (const field of said(form, submitter)) body[field.name] = field.value;
  if (body.step) body.step = Number(body.step);
  if (body.keep) Object.assign(body, { action: "gap", keep: body.keep === "true" });
  return body;
}

// Why, and in which words: as in the sheet of this verdict, not as in another one.
function said(form, { value: verdict }) {
  const sheet = steps.section(steps.stepOf(form)).querySelector(`.up:has(button[value="${verdict}"])`);
  const fields = [...(sheet?.querySelectorAll("[name=reason], [name=note]") ?? [])];
  return fields.filter(({ type, checked, value }) => value && (type !== "radio" || checked));
}

function putAway() {
  for (const open of run.querySelectorAll(".up[open]")) {
    if (open.contains(document.activeElement)) open.querySelector("summary").focus();
    open.open = false;
  }
}

// Show what an entry will have done. `pressed`: just now and here, so the page may move on.
function foresee({ slot, id: seen, body }, pressed = false) {
  if (body.kind === "note") notes.fill(slot.split("#")[0], body.text, { seen });
  if (body.kind === "check") tick(body.step, body.item, body.checked);
  if (body.kind === "timer" && body.action !== "gap") timer.act(body.action, body.at);
  if (body.kind === "timer" && body.action === "gap") hideGap();
  if (body.kind !== "verdict") return;
  steps.mark(body.step, body.result, body.reason);
  if (!pressed) return;
  putAway();
  if (ON.includes(body.result)) onwards(body.step);
  else tips(body.step);
}

function onwards(step) {
  if (steps.section(step + 1)) {
    steps.show(step + 1);
    const next = steps.bar();
    next.inert = true;
    setTimeout(() => { next.inert = false; }, DOUBLE_TAP);
    return;
  }
  localStorage.setItem("finished", "1");
  notice("finished", "That was the last step. When it has arrived, we ask what it brought.");
  leaveWhenSent();
}

function tips(step) {
  for (const more of steps.section(step).querySelectorAll("details[data-tips]")) more.open = true;
  steps.section(step).querySelector("[data-tips]")?.scrollIntoView({ block: "nearest" });
}

// After the last step the page of the outcome is next, once the server knows. Both the press and
// the answer to it ask; going a second time would break off the first.
async function leaveWhenSent() {
  await outbox.drain();
  const left = await outbox.pending(id);
  if (leaving || left.length || run.dataset.status !== "completed") return;
  leaving = true;
  location.assign(`/outcome/${id}`);
}

async function heard({ slot, id: seen, body, answer }) {
  if (body.kind === "note") notes.accepted({ slot, id: seen, body, answer });
  if (!answer.state) return;
  const waiting = await outbox.pending(id); // first, so that nothing of it is taken back for a moment
  apply(answer.state, true);
  for (const entry of waiting) foresee(entry);
  if (document.querySelector("[data-notice=finished]")) leaveWhenSent();
}

// The state as the server told it. Words that are being typed are left alone.
function apply(state, live) {
  if (live && state.status === "completed" && run.dataset.status !== "completed" && !document.querySelector("[data-notice=finished]")) {
    notice("ended", "This run was finished elsewhere. Notes can still be added.", { "Say what it brought": `/outcome/${id}` });
  }
  run.dataset.status = state.status;
  timer.sync(state, live);
  for (const step of state.steps) {
    steps.mark(step.number, step.result, step.reason);
    step.checks?.forEach((checked, item) => tick(step.number, item, checked));
  }
  const { gap } = state.timer ?? {};
  if (gap) showGap(gap);
}

function tick(step, item, checked) {
  const box = steps.section(step)?.querySelector(`[data-check="${item}"]`);
  if (box && !held.has(box)) box.checked = checked;
}

// What happened on another device while this page was in the background.
async function refresh() {
  try {
    const answer = await fetch(run.dataset.stateUrl);
    if (!answer.ok) return;
    const state = await answer.json();
    await outbox.keepRun(id, state);
    const waiting = await outbox.pending(id);
    apply(state, true);
    for (const { number, note } of state.steps) {
      const slot = `${id}/note/${number}`;
      if (!waiting.some((entry) => entry.slot === slot)) notes.fill(slot, note.text, { rev: note.rev });
    }
    for (const entry of waiting) foresee(entry);
  } catch { /* no connection: what is here stays */ }
}

function showGap({ gap_id, seconds }) {
  const gap = document.getElementById("gap");
  if (!gap || gap.dataset.answered === gap_id) return;
  for (const field of gap.querySelectorAll("[name=gap_id]")) field.value = gap_id;
  for (const word of gap.querySelectorAll("[data-gap-minutes]")) word.textContent = Math.round(seconds / 60);
  gap.hidden = false;
}

function hideGap() {
  const gap = document.getElementById("gap");
  if (!gap) return;
  gap.dataset.answered = gap.querySelector("[name=gap_id]")?.value;
  gap.hidden = true;
}

// The first page of a visit came before the worker was there to keep it; pictures always do.
async function keepHere() {
  const pages = await caches.open("pages");
  await navigator.serviceWorker.ready;
  if (uncontrolled) await pages.put(location.pathname, new Response(asItCame, { headers: { "Content-Type": "text/html" } }));
  const pictures = [...run.querySelectorAll(".step img")].map(({ src }) => src).filter((src) => src.startsWith(location.origin));
  for (const src of pictures) if (!(await pages.match(src))) await pages.add(src).catch(() => {});
}
