/** `/page/info` and `/auth/session`: who is signed in here, and what the server is like. */
import { words } from "./words";

export interface SignedIn {
  readonly owner: string;
  readonly role: string;
  readonly demoGateway: boolean;
  readonly version: string;
}

export type Found =
  | { readonly kind: "signed-in"; readonly who: SignedIn }
  | { readonly kind: "signed-out"; readonly why?: string }
  | { readonly kind: "no-answer"; readonly why: string };

const CODE = /^#code=([\w.-]+)$/;
/** On a connection that has died unnoticed no answer ever comes; the next request takes another. */
const WITHIN = 10_000;

/** Sign in with the code of the address, if it has one; else find out who is signed in. */
export async function findSession(): Promise<Found> {
  const code = CODE.exec(location.hash)?.[1];
  if (code === undefined) return info();
  history.replaceState(null, "", location.pathname + location.search);
  const found = await enter({ code }, words().linkUsed);
  if (found.kind !== "signed-out") return found;
  const before = await info(); // the link may have been followed twice
  return before.kind === "signed-in" ? before : found;
}

export function signIn(token: string): Promise<Found> {
  return enter({ token }, words().wrong);
}

export async function signOut(): Promise<void> {
  await fetch("/auth/session", { method: "DELETE", signal: AbortSignal.timeout(WITHIN) });
}

async function enter(body: object, refused: string): Promise<Found> {
  return answered(async () => {
    const answer = await fetch("/auth/session", {
      method: "POST",
      signal: AbortSignal.timeout(WITHIN),
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
    if (answer.status === 401) return { kind: "signed-out", why: refused };
    if (answer.status === 429) return { kind: "signed-out", why: words().tooMany };
    return answer.ok ? info() : noAnswer(answer.status);
  });
}

async function info(): Promise<Found> {
  return answered(async () => {
    const answer = await fetch("/page/info", { signal: AbortSignal.timeout(WITHIN) });
    if (!answer.ok) return noAnswer(answer.status);
    const said = (await answer.json()) as Record<string, unknown>;
    if (said["signed_in"] !== true) return { kind: "signed-out" };
    return {
      kind: "signed-in",
      who: {
        owner: String(said["owner"]),
        role: String(said["role"]),
        demoGateway: said["demo_gateway"] === true,
        version: String(said["version"]),
      },
    };
  });
}

async function answered(ask: () => Promise<Found>): Promise<Found> {
  try {
    return await ask();
  } catch {
    return { kind: "no-answer", why: words().unreachable };
  }
}

function noAnswer(status: number): Found {
  return { kind: "no-answer", why: words().status(status) };
}
