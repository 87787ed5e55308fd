// A word at the bottom of the window. It moves nothing, steals no focus, and can be put away.

let shelf;

// `actions`: text -> function, or address. Returns the notice; the same `key` replaces the one before.
export function notice(key, text, actions = {}) {
  shelf ??= document.body.appendChild(Object.assign(document.createElement("div"), { className: "notices" }));
  shelf.setAttribute("role", "status");
  const box = document.createElement("div");
  box.className = "notice card";
  box.dataset.notice = key;
  box.append(Object.assign(document.createElement("p"), { textContent: text }));
  const row = document.createElement("p");
  row.className = "row";
  for (const [label, action] of Object.entries({ ...actions, Close: null })) {
    const link = typeof action === "string";
    const button = document.createElement(link ? "a" : "button");
    button.className = "button plain small";
    button.textContent = label;
    if (link) button.href = action;
    else {
      button.type = "button";
      button.onclick = () => { box.remove(); action?.(); };
    }
    row.append(button);
  }
  box.append(row);
  dismiss(key);
  shelf.append(box);
  return box;
}

export function dismiss(key) {
  shelf?.querySelector(`[data-notice="${key}"]`)?.remove();
}
