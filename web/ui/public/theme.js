// Before the first paint: the theme that was chosen here, so that the page does not flash.
try {
  const theme = localStorage.getItem("holdfast.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // no storage: the system's theme
}
