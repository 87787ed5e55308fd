// The form about a result says back what a number means: 12000 becomes ₹12,000, 2.5 becomes 2 h 30 min.
// The page works without this file; the server reads numbers as people write them, too.

const echo = document.querySelector("[data-echo]");
const form = echo.closest("form");
const field = form.elements.value;
// As the server does (numerals.py): ₹12,34,567.50, 4 800, 4.800,50 and ४८०० are numbers, "a lot" is not.
const WORN = /^(?:(?:[₹$€£]|Rs\.?|INR|USD|EUR|GBP)\s?)?(\d|\d.*\d)\s?(?:\/-|[₹$€£]|Rs\.?|INR|USD|EUR|GBP)?$/i;
const POINT = /^(?:\d+(?:\.\d+)?|\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?)$/;
const COMMA = /^(?:\d+,\d{1,2}|\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:\.\d{3})+,\d+)$/;
const SPACED = /^\d{1,3}(?:_\d{2,3})*_\d{3}(?:[.,]\d+)?$/;
const EITHER = /^[1-9]\d{0,2}\.\d{3}$/;
const ZEROS = [0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66]; // scripts with digits of their own
const LOCALES = { INR: "en-IN", PKR: "en-IN", BDT: "en-IN", NPR: "en-IN", USD: "en-US", GBP: "en-GB", EUR: "en-IE" };

const SAY = {
  revenue: (amount, { currency }) => new Intl.NumberFormat(LOCALES[currency] ?? document.documentElement.lang, { style: "currency", currency, trailingZeroDisplay: "stripIfInteger" }).format(amount),
  time_saved: (amount) => [Math.trunc(amount) && `${Math.trunc(amount)} h`, Math.round((amount % 1) * 60) && `${Math.round((amount % 1) * 60)} min`].filter(Boolean).join(" "),
  customers: (amount) => `${amount.toLocaleString()} ${amount === 1 ? "customer" : "customers"}`,
  custom: (amount, { unit }) => `${amount.toLocaleString()} ${unit}`.trim(),
};

function western(digit) {
  const zero = ZEROS.find((first) => digit.codePointAt(0) - first >= 0 && digit.codePointAt(0) - first < 10);
  return zero === undefined ? digit : String(digit.codePointAt(0) - zero);
}

// {amount} or {problem}; neither while it is no number yet.
function read(typed) {
  let number = WORN.exec([...typed].map(western).join(""))?.[1].replaceAll(/[ \u00a0\u202f'’]/g, "_") ?? "";
  if (SPACED.test(number)) number = number.replaceAll("_", "").replace(",", ".");
  if (EITHER.test(number)) return { problem: `Is that ${number.replace(".", "")} or ${Math.round(number * 100) / 100}? Write it that way.` };
  if (POINT.test(number)) return { amount: Number(number.replaceAll(",", "")) };
  if (COMMA.test(number)) return { amount: Number(number.replaceAll(".", "").replace(",", ".")) };
  return {};
}

function say({ type } = {}) {
  const typed = Object.fromEntries(new FormData(form));
  const text = (typed.value ?? "").trim();
  const { amount, problem } = read(text);
  const known = SAY[typed.metric_type];
  if (!text || !known) echo.textContent = "";
  else if (problem) echo.textContent = problem;
  else if (amount !== undefined) echo.textContent = `That is ${known(amount, typed)}.`;
  else echo.textContent = type === "blur" ? "That is not a number yet; write 4800 or 12.50." : "";
}

form.addEventListener("input", say);
field.addEventListener("blur", say);
say();
