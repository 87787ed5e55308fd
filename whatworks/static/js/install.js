// Offers to install, once.

import { notice } from "./notice.js";

export function offer(prompt) {
  if (!localStorage.getItem("finished") || localStorage.getItem("asked")) return;
  localStorage.setItem("asked", "1");
  notice("install", "Keep whatworks on your home screen? It opens faster and works without a connection.", {
    "Add it": () => prompt.prompt(),
  });
}
