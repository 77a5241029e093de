import { useCallback, useEffect, useState } from "react";
import type { Me } from "../client/api.generated";
import { bytes, dateAndTime, number } from "../languages/formats";
import { words } from "./words";

interface Props {
  readonly owner: string;
  readonly onSignOut: () => void;
}

type Asked = { me?: Me; isFailed: boolean };

/** Who is signed in, and how much of each limit is used. */
export function Account({ owner, onSignOut }: Props) {
  const [{ me, isFailed }, setAsked] = useState<Asked>({ isFailed: false });
  const w = words();
  const ask = useCallback(() => {
    setAsked({ isFailed: false });
    readMe().then(
      (found) => setAsked({ me: found, isFailed: false }),
      () => setAsked({ isFailed: true }),
    );
  }, []);
  useEffect(ask, [ask]);
  return (
    <>
      <h3>{w.account}</h3>
      <dl className="facts">
        <Fact name={w.signedInAs} value={owner} />
        {me && <Fact name={w.role} value={w.roles[me.role]} />}
        {me && (
          <Fact
            name={w.until}
            value={me.expires_at === null ? w.noEnd : dateAndTime(me.expires_at * 1_000)}
          />
        )}
      </dl>
      <button type="button" className="button" onClick={onSignOut}>
        {w.signOut}
      </button>
      <h3>{w.usage}</h3>
      {me && <Limits me={me} />}
      {!me && (
        <p className="muted" role="status">
          {isFailed ? w.notLoaded : w.loading}{" "}
          {isFailed && (
            <button type="button" className="button" onClick={ask}>
              {w.tryAgain}
            </button>
          )}
        </p>
      )}
    </>
  );
}

function Limits({ me: { runs, limits } }: { me: Me }) {
  const w = words();
  return (
    <dl className="facts">
      <Fact name={w.runs} value={w.runsNow(runs.live, runs.waiting)} />
      <Fact name={w.requests} value={rateWords(limits.requests)} />
      <Fact name={w.starts} value={rateWords(limits.starts)} />
      <Fact
        name={w.connections}
        value={w.used(limits.connections.used, limits.connections.limit)}
      />
      <Fact name={w.queue} value={w.atMost(number(limits.queue_per_session))} />
      <Fact name={w.sessionBytes} value={w.atMost(bytes(limits.session_bytes))} />
      <Fact name={w.bodyBytes} value={w.atMost(bytes(limits.body_bytes))} />
    </dl>
  );
}

function rateWords({ limit, remaining, reset }: Me["limits"]["requests"]): string {
  const used = words().used(limit - remaining, limit);
  return reset > 0 ? `${used}, ${words().refilled(reset)}` : used;
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </div>
  );
}

async function readMe(): Promise<Me> {
  const answer = await fetch("/api/me");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()) as Me;
}
