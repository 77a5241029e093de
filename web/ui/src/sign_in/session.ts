/** `/auth/session` and `/page/info`: who is signed in here, and what the server is like. */

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
const LINK_USED = "This link was used already, or is older than ten minutes.";
const WRONG = "This token is not valid here.";

/** Sign in with the code of the address, if it has one; else find out who is signed in. */
export async function findSession(): Promise<Found> {
  const code = CODE.exec(location.hash)?.[1];
  if (code === undefined) return ask("GET");
  history.replaceState(null, "", location.pathname + location.search);
  const found = await ask("POST", { code }, LINK_USED);
  if (found.kind !== "signed-out") return found;
  const before = await ask("GET"); // the link may have been followed twice
  return before.kind === "signed-in" ? before : found;
}

export function signIn(token: string): Promise<Found> {
  return ask("POST", { token }, WRONG);
}

export async function signOut(): Promise<void> {
  await fetch("/auth/session", { method: "DELETE" });
}

async function ask(method: "GET" | "POST", body?: object, refused?: string): Promise<Found> {
  try {
    const answer = await fetch("/auth/session", {
      method,
      ...(body && {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      }),
    });
    if (answer.status === 401 || answer.status === 429)
      return { kind: "signed-out", ...(refused !== undefined && { why: refused }) };
    if (!answer.ok) return { kind: "no-answer", why: `The server answers ${answer.status}.` };
    const who = (await answer.json()) as { owner: string; role: string };
    const info = (await (await fetch("/page/info")).json()) as Record<string, unknown>;
    return {
      kind: "signed-in",
      who: {
        owner: who.owner,
        role: who.role,
        demoGateway: info["demo_gateway"] === true,
        version: typeof info["version"] === "string" ? info["version"] : "",
      },
    };
  } catch {
    return { kind: "no-answer", why: "The server cannot be reached." };
  }
}
