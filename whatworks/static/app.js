// Small comforts. Every page works without this file.

// Typed but unsaved text is not lost by accident.
let sending = false;
addEventListener("submit", () => { sending = true; });
addEventListener("pageshow", () => { sending = false; });
addEventListener("beforeunload", (event) => {
  const typed = [...document.querySelectorAll("textarea")].some((t) => t.value !== t.defaultValue);
  if (typed && !sending) event.preventDefault();
});

// The outcome form says back what a number means: 12000 becomes ₹12,000.
const echo = document.querySelector("[data-echo]");
if (echo) {
  const form = echo.closest("form");
  const say = () => {
    const { value, currency, metric_type } = Object.fromEntries(new FormData(form));
    const amount = Number(value.replace(/[\s,]/g, ""));
    const money = metric_type === "revenue" && value && amount >= 0;
    const locale = currency === "INR" ? "en-IN" : document.documentElement.lang;
    echo.textContent = money ? new Intl.NumberFormat(locale, { style: "currency", currency, trailingZeroDisplay: "stripIfInteger" }).format(amount) : "";
  };
  form.addEventListener("input", say);
  say();
}
