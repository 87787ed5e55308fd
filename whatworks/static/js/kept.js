// On the page for times without a connection: what can be opened now.

const list = document.querySelector("[data-pages]");
const pages = await caches.open("pages");
const names = (await pages.keys()).map(({ url }) => url).filter((url) => !url.endsWith("/offline"));
const found = [];
for (const url of names.reverse()) {
  const kept = await pages.match(url);
  if (!kept.headers.get("Content-Type")?.startsWith("text/html")) continue; // a picture
  const page = new DOMParser().parseFromString(await kept.text(), "text/html");
  const isOpen = page.querySelector("#run:is([data-status=started], [data-status=in_progress])");
  found.push({ url, title: (isOpen ? "Go on with " : "") + page.title.replace(/ · whatworks$/, ""), isOpen: Boolean(isOpen) });
}
for (const { url, title } of found.sort((one, other) => other.isOpen - one.isOpen)) { // runs first
  const link = Object.assign(document.createElement("a"), { href: url, textContent: title, className: "hit" });
  const item = document.createElement("li");
  item.append(link);
  list.append(item);
}
if (!list.children.length) list.append(Object.assign(document.createElement("li"), { textContent: "Nothing yet: open a workflow while you have a connection." }));
