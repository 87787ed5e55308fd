// The address of a shared proof: one tap hands it on, or copies it.

const button = document.querySelector("[data-copy]");
const { copy: url } = button.dataset;
button.hidden = false;
if (!navigator.share) button.textContent = "Copy the address";
button.addEventListener("click", async () => {
  try {
    if (navigator.share) await navigator.share({ url });
    else {
      await navigator.clipboard.writeText(url);
      button.textContent = "Copied";
    }
  } catch (failure) {
    if (failure.name !== "AbortError") button.textContent = "Hold the address above to copy it";
  }
});
