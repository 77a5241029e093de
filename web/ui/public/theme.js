// Before the first paint: what was chosen here, so that the page does not flash.
try {
  const { documentElement: page } = document;
  const theme = localStorage.getItem("holdfast.theme");
  if (theme === "dark" || theme === "light") page.dataset.theme = theme;
  if (localStorage.getItem("holdfast.density") === "compact") page.dataset.density = "compact";
} catch {
  // no storage: the system's theme
}
