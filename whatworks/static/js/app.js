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

if (document.querySelector("[data-pages]")) import("./kept.js");
