/**
 * The service worker: the page's own files, and a page that says so when the server is out of reach.
 *
 * It keeps files with a hash in their names, which never change, and the few files of the offline
 * page. The page itself always comes from the server, so no old one is shown after a deploy, and an
 * answer of the API is never kept. The build puts in the names (vite.config.ts).
 */

interface WorkEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface AskEvent extends WorkEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface Worker {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(name: "install" | "activate", work: (event: WorkEvent) => void): void;
  addEventListener(name: "fetch", work: (event: AskEvent) => void): void;
}

const worker = self as unknown as Worker;
const PREFIX = "holdfast-";
const CACHE = PREFIX + "__BUILD__";
const SHELL: readonly string[] = JSON.parse("__SHELL__") as string[];
const OFFLINE_PAGE = "/offline.html";
const OFFLINE = [OFFLINE_PAGE, "/offline.css", "/offline.js", "/theme.js", "/icon.svg"];
/** Programs ask there; a browser that does sees what they see. */
const NOT_PAGES = /^\/(api|v1|p|auth|socket\.io)\//;

worker.addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll([...SHELL, ...OFFLINE]);
    await worker.skipWaiting();
  };
  event.waitUntil(fill());
});

worker.addEventListener("activate", (event) => {
  const tidy = async () => {
    const others = (await caches.keys()).filter((one) => one.startsWith(PREFIX) && one !== CACHE);
    // The newest of the others stays, for tabs that show the page of the build before.
    await Promise.all(others.slice(0, -1).map((one) => caches.delete(one)));
    await worker.clients.claim();
  };
  event.waitUntil(tidy());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== worker.location.origin) return;
  if (pathname.startsWith("/assets/")) event.respondWith(kept(request));
  else if (OFFLINE.includes(pathname)) event.respondWith(unlessOffline(request, pathname));
  else if (request.mode === "navigate" && !NOT_PAGES.test(pathname))
    event.respondWith(unlessOffline(request, OFFLINE_PAGE));
});

async function kept(request: Request): Promise<Response> {
  const found = await caches.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) {
    const cache = await caches.open(CACHE);
    await cache.put(request, answer.clone());
  }
  return answer;
}

async function unlessOffline(request: Request, instead: string): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(instead)) ?? Response.error();
  }
}
