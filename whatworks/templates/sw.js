// The service worker: what was opened once works without a connection. It never touches a POST.
const FILES = "files-{{ release }}";
const PAGES = "pages";
const KEEP = 30; // pages
const PATIENCE = 4000; // milliseconds for the network before a kept page is shown
const PUBLIC = "/offline";
const KEPT = /^\/(executor|outcome|dashboard|workflows|help)(\/|$)/;

addEventListener("install", (event) => {
  event.waitUntil((async () => {
    await (await caches.open(FILES)).addAll({{ files|tojson }});
    await (await caches.open(PAGES)).add(PUBLIC);
    await skipWaiting();
  })());
});

// Kept pages name the files of the release they came from; those go when all pages are renewed.
addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    await clients.claim();
    const others = (await caches.keys()).filter((name) => name.startsWith("files-") && name !== FILES);
    if (!others.length) return;
    const pages = await caches.open(PAGES);
    const renewed = await Promise.all((await pages.keys()).map((page) => renew(pages, page).catch(() => false)));
    if (renewed.every(Boolean)) await Promise.all(others.map((name) => caches.delete(name)));
  })());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(file(request));
  else if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (request.destination === "image") event.respondWith(picture(request));
});

async function file(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) (await caches.open(FILES)).put(request, answer.clone());
  return answer;
}

async function picture(request) {
  try {
    return await fetch(request);
  } catch (failure) {
    const kept = await caches.match(request);
    if (kept) return kept;
    throw failure;
  }
}

async function page(event, url) {
  const pages = await caches.open(PAGES);
  const live = fetch(event.request).then(async (answer) => {
    if (answer.ok && KEPT.test(url.pathname) && !url.searchParams.has("corrects")) await keep(pages, url.pathname, answer.clone());
    return answer;
  });
  event.waitUntil(live.catch(() => {}));
  const kept = await pages.match(url.pathname);
  const late = new Promise((resolve) => { if (kept) setTimeout(resolve, PATIENCE, kept); });
  try {
    const answer = await Promise.race([live, late]);
    return kept && answer.status >= 500 ? kept : answer;
  } catch {
    return kept ?? (await pages.match(PUBLIC)) ?? Response.error();
  }
}

async function keep(pages, path, answer) {
  await pages.delete(path); // so that it becomes the newest
  await pages.put(path, answer);
  const all = (await pages.keys()).filter((page) => new URL(page.url).pathname !== PUBLIC);
  await Promise.all(all.slice(0, -KEEP).map((page) => pages.delete(page)));
}

async function renew(pages, page) {
  const answer = await fetch(page.url, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return false;
  await pages.put(page, answer);
  return true;
}
