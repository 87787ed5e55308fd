// What every page does. Every page works without this file.

// Days begin and end where the person is.
const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
if (zone && !document.cookie.includes(`whatworks_zone=${zone}`)) {
  document.cookie = `whatworks_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}

// Typed but unsaved text is not lost by accident. What an outbox keeps needs no warning.
let sent; // the form on its way
addEventListener("submit", ({ target }) => { sent = target; });
addEventListener("pageshow", () => { sent = null; });
addEventListener("beforeunload", (event) => {
  const typed = [...document.querySelectorAll("textarea:not([data-kept])")].some((t) => t.form !== sent && t.value !== t.defaultValue);
  if (typed) event.preventDefault();
});

// What was wrong with a field is said until it is changed, or no longer asked for; then it is the
// server's turn to look again.
function mend(problem) {
  const name = problem.id.replace(/-error$/, "");
  for (const field of document.querySelectorAll(`[aria-describedby~="${problem.id}"]`)) {
    field.setAttribute("aria-describedby", field.getAttribute("aria-describedby").replace(problem.id, "").trim());
    field.removeAttribute("aria-invalid");
  }
  problem.remove();
  document.querySelector(`.errors li:has([href="#${name}"])`)?.remove();
  document.querySelector(".errors:not(:has(li))")?.remove();
}
// As it is typed, not when it is left: a button that jumps between press and release is not pressed.
addEventListener("input", ({ target }) => {
  const isChanged = target.type === "radio" || target.value !== target.defaultValue;
  for (const problem of document.querySelectorAll(".problem[id]")) {
    if ((isChanged && problem.id === `${target.name}-error`) || !problem.checkVisibility()) mend(problem);
  }
});

if (document.querySelector("[data-pages]")) import("./kept.js");
