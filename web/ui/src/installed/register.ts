/** Registers the service worker, which browsers allow over HTTPS and on the own machine only. */
export function registerServiceWorker(): void {
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (!serviceWorker || import.meta.env.DEV) return;
  const register = () => {
    // Without one the page is as good, but for the offline page.
    serviceWorker.register("/service_worker.js").catch(() => undefined);
  };
  if (document.readyState === "complete") register();
  else window.addEventListener("load", register, { once: true });
}
