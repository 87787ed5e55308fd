// The chip says where the work is, from what is kept and how the last try ended; never from a hope.

const dirty = new Set(); // what is typed and not yet kept
const SAID = { saved: "Saved", local: "Saved on this device", sending: "Sending…", error: "Not saved" };

export function chip(outbox) {
  const shown = document.getElementById("save");
  const say = ({ count, refused, busy, problem }) => {
    navigator.setAppBadge?.(count).catch(() => {});
    if (!shown || dirty.size) return;
    const isOut = problem === "signed-out" && count;
    const state = isOut || refused ? "error" : !count ? "saved" : busy ? "sending" : "local";
    if (shown.dataset.state === state && state !== "error") return;
    shown.dataset.state = state;
    if (!isOut) {
      if (shown.textContent !== SAID[state]) shown.textContent = SAID[state];
    } else if (!shown.querySelector("a")) {
      const link = document.createElement("a");
      link.href = `/signin?next=${encodeURIComponent(location.pathname)}`;
      link.textContent = "Sign in to send";
      shown.replaceChildren(link);
    }
  };
  let asked = false;
  outbox.addEventListener("change", ({ detail }) => {
    say(detail);
    if (detail.count && !detail.busy && !asked) {
      asked = true;
      navigator.storage?.persist?.(); // something has to wait here: do not clear it
    }
  });
  outbox.tell();
}

// Between a keystroke and its place on this device the chip says nothing.
export function unsaved(thing) {
  dirty.add(thing);
  const shown = document.getElementById("save");
  if (!shown || shown.dataset.state === "error") return;
  shown.dataset.state = "typed";
  shown.textContent = "";
}

export function kept(thing, outbox) {
  dirty.delete(thing);
  return outbox.tell();
}

export function failed(message) {
  const shown = document.getElementById("save");
  if (!shown) return;
  shown.dataset.state = "error";
  shown.textContent = message;
}
