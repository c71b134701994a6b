/** The list of rooms on a narrow screen: it comes over the messages, and goes when a room is chosen. */

export function side() {
  const menu = document.getElementById("menu");
  const shade = document.getElementById("shade");
  const open = (isOpen) => {
    document.body.classList.toggle("side", isOpen);
    menu.setAttribute("aria-expanded", isOpen);
    shade.hidden = !isOpen;
  };
  const close = () => {
    const wasOpen = document.body.classList.contains("side");
    open(false);
    if (wasOpen) menu.focus();
  };
  menu.addEventListener("click", () => open(true));
  shade.addEventListener("click", close);
  addEventListener("keydown", (event) => event.key === "Escape" && close());
  return { close };
}
