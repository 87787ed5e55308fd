// The clock of the daily routine. It is computed from the server's timestamps, never counted, so
// sleep, a reload and a second device change nothing.

const OLD = 2000; // milliseconds; a page that is this far behind was kept, not fetched
const WARN = 300; // seconds left
const place = document.getElementById("timer");
const run = document.getElementById("run");
let state = null; // {running, elapsed, at}: seconds of the routine at a moment of the server's clock
let offset = 0; // the server's clock minus this device's, milliseconds

// Now, by the server's clock.
export const now = () => Date.now() + offset;
export const nowText = () => new Date(now()).toISOString();

// Returns whether the two clocks should be compared anew.
export function begin() {
  if (!place) return false;
  const told = Date.parse(run.dataset.serverTime) - Date.now();
  const known = Number(localStorage.getItem("clock") ?? told);
  offset = Math.max(told, known); // an answer on its way, or a kept page, can only be behind
  set({ running: place.dataset.running === "true", elapsed: Number(place.dataset.elapsed), at: Date.parse(run.dataset.serverTime) });
  setInterval(draw, 1000);
  document.addEventListener("visibilitychange", draw);
  return known - told > OLD;
}

// The server told its state, just now or (`live` false) when this page was last open.
export function sync({ timer, server_time }, live) {
  if (!place || !timer) return;
  const at = Date.parse(server_time);
  if (live) {
    offset = at - Date.now();
    localStorage.setItem("clock", offset);
  }
  set({ running: timer.running, elapsed: timer.elapsed_seconds, at });
}

// What a button does, before the server says so.
export function act(action, at) {
  if (!place || !state) return;
  const moment = Date.parse(at ?? nowText());
  set({ running: action !== "pause", elapsed: elapsed(moment), at: moment });
}

const elapsed = (moment) => state.elapsed + (state.running ? Math.max(0, moment - state.at) / 1000 : 0);

function set(next) {
  state = next;
  place.dataset.running = next.running;
  draw();
}

function draw() {
  const left = Number(place.dataset.routine) - elapsed(now());
  const whole = Math.floor(Math.abs(left));
  const two = (number) => String(number).padStart(2, "0");
  const shown = place.querySelector("[data-clock]") ?? place;
  const text = `${left < 0 ? "+" : ""}${two(Math.floor(whole / 60))}:${two(whole % 60)}`;
  if (shown.textContent !== text) shown.textContent = text;
  place.dataset.over = left < 0;
  if (state.running && left <= WARN && left > 0) announce();
}

// Once a day and run, politely; a reload does not say it again.
function announce() {
  const key = `said-${run.dataset.execution}-${new Date().toDateString()}`;
  if (localStorage.getItem(key)) return;
  localStorage.setItem(key, "1");
  const voice = document.getElementById("timer-voice");
  if (voice) voice.textContent = "Five minutes left of today’s time. Finish the thought, then stop well.";
}
