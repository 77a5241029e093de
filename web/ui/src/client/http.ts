/** Requests to the HTTP API, in the name of whoever the socket is of. */
/** Where the server is and who asks; without a token the cookie of the page. */
export interface Access {
  readonly url: string;
  readonly token?: string;
}

/** The server refused it, or did not answer (`no_answer`); the message is for people. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The JSON that the server answers with. Rejects with Refused. */
export async function ask<T>(
  access: Access,
  method: "GET" | "POST" | "PATCH",
  path: string,
  body?: object,
): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`${access.url}${path}`, {
      method,
      headers: {
        ...(access.token !== undefined && { Authorization: `Bearer ${access.token}` }),
        ...(body && { "Content-Type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Refused("no_answer", "The server cannot be reached.");
  }
  const said: unknown = await answer.json().catch(() => undefined);
  if (answer.ok && said !== undefined) return said as T;
  const error = (said as { error?: { code?: unknown; message?: unknown } } | undefined)?.error;
  throw new Refused(
    typeof error?.code === "string" ? error.code : "no_answer",
    typeof error?.message === "string" ? error.message : `The server says ${answer.status}.`,
  );
}

/** The path of a session, or of something of it. */
export function sessionPath(sessionId: string, rest = ""): string {
  return `/api/sessions/${encodeURIComponent(sessionId)}${rest}`;
}
