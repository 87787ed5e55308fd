// Signing out sends what waits, then leaves nothing of the person on this device.

import { notice } from "./notice.js";

const PATIENCE = 8000; // milliseconds

export async function signOut(form, outbox) {
  await Promise.race([outbox.drain(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  const left = (await outbox.pending()).length + (await outbox.refused()).length;
  if (!left) return leave(form, outbox);
  const things = left === 1 ? "1 change is" : `${left} changes are`;
  notice("signout", `${things} only on this device. Signing out now loses ${left === 1 ? "it" : "them"}.`, {
    "Sign out all the same": () => leave(form, outbox),
  }).querySelector("button")?.focus();
}

async function leave(form, outbox) {
  await outbox.destroy();
  await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
  const registration = await navigator.serviceWorker.getRegistration();
  await registration?.unregister();
  localStorage.clear();
  sessionStorage.clear();
  form.submit();
}
