// One step is shown at a time. All are in the page, so a change of step asks nobody.

const run = document.getElementById("run");
const sections = [...run.querySelectorAll(".step")];
const rail = document.getElementById("rail");
let shown = 0;

export const stepOf = (element) => Number(element.closest("[data-step]")?.dataset.step);
export const bar = () => section(shown)?.querySelector(".verdict");
export const section = (number) => document.getElementById(`step-${number}`);
export const current = () => shown;

// Show a step. `move`: the person asked for it, so focus and address follow.
export function show(number, { move = true } = {}) {
  const next = section(number);
  if (!next) return;
  shown = number;
  for (const step of sections) step.classList.toggle("now", step === next);
  for (const link of rail?.querySelectorAll("a[href^='#step-']") ?? []) {
    if (link.hash === `#step-${number}`) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
  }
  for (const press of document.querySelectorAll("#timer button, #gap :is(button, input)")) press.setAttribute("form", `work-${number}`);
  for (const word of document.querySelectorAll("[data-shown-step]")) word.textContent = number;
  for (const part of document.querySelectorAll("[data-for-step]")) part.hidden = Number(part.dataset.forStep) !== number;
  if (!move) return;
  if (location.hash !== `#step-${number}`) location.hash = `step-${number}`;
  const heading = next.querySelector("h2");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
  scrollTo({ top: 0, behavior: "instant" });
  document.dispatchEvent(new CustomEvent("step", { detail: number }));
}

// Before the last step ends the run: name what was skipped for later. Returns whether there is any.
export function asksFirst({ step, result, reason }) {
  const card = document.getElementById("unfinished");
  const isLater = (one) => (one === section(step) ? result === "skipped" && reason === "later" : one.hasAttribute("data-later"));
  const later = sections.filter(isLater);
  if (!card || section(step + 1) || !later.length) return false;
  const title = (one) => `step ${one.dataset.step}, “${one.querySelector("h2").textContent}”`;
  card.querySelector("[data-later-said]").textContent = later.map(title).join(", ");
  const back = card.querySelector("[data-later-back]");
  back.hash = `step-${later[0].dataset.step}`;
  back.textContent = `Go back to step ${later[0].dataset.step}`;
  card.querySelector("[name=result]").value = result;
  card.hidden = false;
  card.focus({ preventScroll: true });
  scrollTo({ top: 0, behavior: "instant" });
  document.addEventListener("step", () => { card.hidden = true; }, { once: true });
  return true;
}

// What became of a step, in the rail and on the step itself.
export function mark(number, result, reason) {
  section(number)?.toggleAttribute("data-later", result === "skipped" && reason === "later");
  const link = rail?.querySelector(`a[href="#step-${number}"]`);
  for (const place of [link, section(number)]) {
    if (!place) continue;
    if (result) place.dataset.result = result;
    else delete place.dataset.result;
  }
  const done = sections.filter((step) => ["worked", "skipped"].includes(step.dataset.result)).length;
  for (const bar of document.querySelectorAll("header progress")) bar.value = done;
  for (const word of document.querySelectorAll("[data-steps-done]")) word.textContent = done;
}

export function begin() {
  const named = () => Number(/^#step-(\d+)$/.exec(location.hash)?.[1]);
  show(named() || Number(run.querySelector(".step.now")?.dataset.step) || 1, { move: false });
  addEventListener("hashchange", () => {
    if (named() && named() !== shown) show(named());
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#step-'], [data-goto]");
    if (!link) return;
    event.preventDefault();
    show(Number(link.dataset.goto ?? link.hash.slice("#step-".length)));
  });
}
