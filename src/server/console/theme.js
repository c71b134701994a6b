/** Dark or light: the system's choice until one is made here, which is remembered. */

const KEY = "backsync.theme";
const system = matchMedia("(prefers-color-scheme: light)");

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage can be forbidden; then a choice lasts as long as the page
  }
}

function remember(choice) {
  try {
    if (choice === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  } catch {
    // as above
  }
}

const systems = () => (system.matches ? "light" : "dark");

let choice = ["dark", "light"].includes(remembered()) ? remembered() : null;

function apply() {
  const theme = choice ?? systems();
  document.documentElement.dataset.theme = theme;
  dispatchEvent(new CustomEvent("themechange", { detail: theme }));
}

/** To the other one. Back at the system's own choice the page follows the system again. */
export function toggleTheme() {
  const other = (choice ?? systems()) === "dark" ? "light" : "dark";
  choice = other === systems() ? null : other;
  remember(choice);
  apply();
}

system.addEventListener("change", apply);
apply();
