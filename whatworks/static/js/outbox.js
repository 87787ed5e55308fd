// What was done here and is not known to have arrived. First it is kept on this device, then sent.
//
// Each thing that can change has a slot ("<run>/note/2"); a newer change takes the slot over, with
// a new Idempotency-Key. What was once tried is never changed again, since it may have arrived: it
// stands in `sending` and is repeated under its own key, and what came later waits behind it.

import "../vendor/idb-8.0.4.js"; // gives globalThis.idb

const { openDB } = globalThis.idb;
const STORES = { waiting: "slot", sending: "slot", refused: "id", accepted: "slot", runs: "id", drafts: "key" };
const LONGEST_WAIT = 60_000; // milliseconds between tries
const PATIENCE = { json: 15_000, file: 120_000 };
const name = (user) => `whatworks-${user}`;
let last = 0;

// Later is always more, also within one millisecond.
const sequence = () => (last = Math.max(last + 1, Date.now() * 1000));

export class Outbox extends EventTarget {
  #db;
  #user;
  #turn = null; // a drain that has not begun
  #timer;
  #failures = 0;
  #busy = false;
  #problem = null;
  #tabs;

  // One outbox per person, so that people who share a phone share nothing else.
  static async open(user) {
    const db = await openDB(name(user), 1, {
      upgrade(opened) {
        for (const [store, keyPath] of Object.entries(STORES)) opened.createObjectStore(store, { keyPath });
      },
      blocking: (_, __, event) => event.target.close(),
    });
    return new Outbox(db, user);
  }

  constructor(db, user) {
    super();
    this.#db = db;
    this.#user = user;
    this.#tabs = new BroadcastChannel(name(user));
    this.#tabs.onmessage = ({ data }) => {
      if (data.type === "signed-out") location.replace("/signin");
      else this.#emit(data.type, data.detail);
    };
    addEventListener("online", () => this.drain());
    addEventListener("pageshow", () => this.drain());
    document.addEventListener("visibilitychange", () => this.drain());
  }

  // Keep a change; when the promise is fulfilled it survives the tab. Returns the kept entry.
  // `seen`, for texts: the id of the earlier change that this one grew out of, or null.
  async put(change, { quiet = false } = {}) {
    const entry = { ...change, id: crypto.randomUUID(), seq: sequence(), at: Date.now(), tries: 0 };
    delete entry.seen;
    const tx = this.#db.transaction("waiting", "readwrite");
    if ("seen" in change) {
      const other = await tx.store.get(entry.slot);
      entry.after = change.seen;
      if (other && other.id === change.seen) entry.after = other.after;
      else if (other) tx.store.put({ ...other, slot: `${other.slot}#${other.id}` }); // another tab's words
      if (other && other.id === change.seen) entry.body.base_rev = other.body.base_rev;
    }
    tx.store.put(entry);
    tx.commit();
    await tx.done;
    this.#share("put", { slot: entry.slot, id: entry.id, body: entry.body });
    await this.tell();
    if (!quiet) this.drain();
    return entry;
  }

  // What waits, the oldest first; of one run, or all.
  async pending(run) {
    const all = [...(await this.#db.getAll("sending")), ...(await this.#db.getAll("waiting"))];
    return all.filter((entry) => !run || entry.run === run).sort((a, b) => a.seq - b.seq);
  }

  // What the server will never take as it is; a newer text that grew out of it takes its place.
  refused() { return this.#db.getAll("refused"); }
  forget(id) { return this.#db.delete("refused", id).then(() => this.tell()); }

  // The last that the server told of a run and of a text, for pages that were kept before it.
  run(id) { return this.#db.get("runs", id); }
  keepRun(id, state) { return this.#db.put("runs", { id, state }); }
  accepted(slot) { return this.#db.get("accepted", slot); }

  draft(key) { return this.#db.get("drafts", key); }
  keepDraft(key, fields) { return this.#db.put("drafts", { key, fields, at: Date.now() }); }
  dropDrafts(start) { return this.#db.delete("drafts", IDBKeyRange.bound(start, `${start}\uffff`)); }

  // Send what waits, one after the other, in one tab at a time. Fulfilled when nothing more can go.
  drain() {
    clearTimeout(this.#timer);
    this.#turn ??= navigator.locks.request(name(this.#user), () => {
      this.#turn = null;
      return this.#send();
    });
    return this.#turn;
  }

  // Forget everything of this person on this device. Other tabs of theirs leave.
  async destroy() {
    clearTimeout(this.#timer);
    this.#tabs.postMessage({ type: "signed-out" });
    this.#tabs.close();
    this.#db.close();
    await new Promise((resolve) => {
      const request = indexedDB.deleteDatabase(name(this.#user));
      request.onsuccess = request.onerror = resolve;
      setTimeout(resolve, 2000); // a tab that does not let go must not keep anybody signed in
    });
  }

  async #send() {
    const skipped = new Set();
    let entry;
    while ((entry = await this.#take(skipped))) {
      this.#busy = true;
      await this.tell();
      const result = await attempt(entry, this.#user);
      this.#busy = false;
      this.#problem = result.problem ?? null;
      if (result.kind === "done") await this.#finish(entry, result.answer);
      else if (result.kind === "refused") await this.#refuse(entry, result.message);
      else {
        skipped.add(entry.slot);
        this.#again(result.wait);
        if (!result.others) break;
      }
    }
    if (!entry && !skipped.size) this.#failures = 0;
    await this.tell();
  }

  // The next entry, marked as tried before it goes out: from here on it may have arrived.
  async #take(skipped) {
    const tx = this.#db.transaction(["sending", "waiting", "accepted"], "readwrite");
    const [sending, waiting] = [tx.objectStore("sending"), tx.objectStore("waiting")];
    const oldest = (entries) => entries.filter((e) => !skipped.has(e.slot)).sort((a, b) => a.seq - b.seq)[0];
    const tried = await sending.getAll();
    let entry = oldest(tried);
    if (!entry) {
      entry = oldest(await waiting.getAll());
      if (!entry) return null;
      const before = await tx.objectStore("accepted").get(entry.slot);
      if (entry.after && before?.id === entry.after) entry.body.base_rev = before.rev;
      waiting.delete(entry.slot);
    }
    entry.tries += 1;
    sending.put(entry);
    await tx.done;
    return entry;
  }

  async #finish(entry, answer) {
    this.#failures = 0;
    const { state, rev, text } = answer;
    const tx = this.#db.transaction(["sending", "accepted", "runs", "refused"], "readwrite");
    tx.objectStore("sending").delete(entry.slot);
    if (entry.after) tx.objectStore("refused").delete(entry.after);
    if (rev !== undefined) tx.objectStore("accepted").put({ slot: entry.slot, id: entry.id, rev, text });
    if (state) tx.objectStore("runs").put({ id: state.execution_id, state });
    await tx.done;
    this.#share("answer", { slot: entry.slot, id: entry.id, run: entry.run, body: entry.body, answer });
    this.#emit("answer", { slot: entry.slot, id: entry.id, run: entry.run, body: entry.body, answer });
  }

  async #refuse(entry, message) {
    const tx = this.#db.transaction(["sending", "refused"], "readwrite");
    tx.objectStore("sending").delete(entry.slot);
    if (entry.after) tx.objectStore("refused").delete(entry.after);
    tx.objectStore("refused").put({ ...entry, message });
    await tx.done;
    this.#emit("refused", { entry, message });
  }

  #again(wait) {
    const longest = Math.min(LONGEST_WAIT, 2000 * 2 ** this.#failures++);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.drain(), wait ?? longest * (0.5 + Math.random() / 2));
  }

  // Say how much waits, to everything that shows it.
  async tell() {
    const [sending, waiting, refused] = await Promise.all(["sending", "waiting", "refused"].map((store) => this.#db.count(store)));
    const detail = { count: sending + waiting, refused, busy: this.#busy, problem: this.#problem };
    this.#share("change", detail);
    this.#emit("change", detail);
  }

  #share(type, detail) { this.#tabs.postMessage({ type, detail }); }
  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

// One try. done: the server has it. later: unknown or not now. refused: it never will.
async function attempt(entry, user) {
  const kind = entry.file ? "file" : "json";
  let answer, said;
  try {
    answer = await fetch(entry.url, {
      method: "POST",
      headers: { "Idempotency-Key": entry.id, ...(entry.file ? {} : { "Content-Type": "application/json" }) },
      body: entry.file ? form(entry) : JSON.stringify(entry.body),
      signal: AbortSignal.timeout(PATIENCE[kind]),
    });
    said = await answer.json();
  } catch {
    return { kind: "later" }; // no connection, no answer, or half of one
  }
  if (answer.ok) return { kind: "done", answer: said };
  if (answer.status >= 500) return { kind: "later", others: true };
  if (answer.status === 429) return { kind: "later", wait: 1000 * (Number(answer.headers.get("Retry-After")) || 5) };
  if (answer.status === 401 || (answer.status === 404 && !(await signedIn(user)))) {
    return { kind: "later", wait: LONGEST_WAIT, problem: "signed-out" };
  }
  const [wrong] = Object.values(said.fields ?? {});
  return { kind: "refused", message: wrong?.startsWith("give ") ? `Please ${wrong}.` : said.error };
}

function form({ body, file }) {
  const data = new FormData();
  for (const [field, value] of Object.entries(body)) data.set(field, value);
  data.set("file", new File([file.bytes], file.name, { type: file.type }));
  return data;
}

// Who is not signed in is told that things are not there; so ask for oneself.
async function signedIn(user) {
  try {
    return (await fetch(`/api/profile/${user}`)).ok;
  } catch {
    return false;
  }
}
