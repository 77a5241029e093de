/** What the chat asks the HTTP API for. All reject with Refused. */
import { ask, sessionPath } from "../client";
import type {
  ProfileEntry,
  ProfileList,
  SessionAnswer,
  SessionInfo,
} from "../client/api.generated";

const HERE = { url: "" };

/** Tokens and costs, as gateways report them; what is not known is left out. */
export interface Usage {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly estimated_cost_usd?: number | null;
  readonly actual_cost_usd?: number | null;
}

export async function readSession(id: string): Promise<SessionInfo> {
  return (await ask<SessionAnswer>(HERE, "GET", sessionPath(id))).session;
}

export async function readProfiles(): Promise<ProfileEntry[]> {
  return (await ask<ProfileList>(HERE, "GET", "/api/profiles")).data;
}

export async function readUsage(runId: string): Promise<Usage> {
  const path = `/v1/runs/${encodeURIComponent(runId)}`;
  return (await ask<{ usage?: Usage }>(HERE, "GET", path)).usage ?? {};
}

/** The cost in dollars: what was billed, else what was estimated; undefined if neither is known. */
export function costOf(usage: Usage): number | undefined {
  return usage.actual_cost_usd ?? usage.estimated_cost_usd ?? undefined;
}
