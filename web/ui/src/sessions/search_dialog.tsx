import { useEffect, useId, useState, type KeyboardEvent } from "react";
import type { ListedSession } from "../client/api.generated";
import { Dialog } from "../design/dialog";
import { listSessions, Refused } from "./sessions_api";
import { Found } from "./snippet";
import { nameOf } from "./title";
import { words } from "./words";

interface Props {
  readonly onOpen: (id: string) => void;
  readonly onClose: () => void;
}

interface Result {
  readonly search: string;
  readonly sessions: readonly ListedSession[];
  readonly failure?: string;
}

const SOON = 200; // milliseconds after the last letter

/** Search all sessions and go to one: without words the newest are offered. */
export function SearchDialog({ onOpen, onClose }: Props) {
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState(0);
  const result = useResult(search);
  const id = useId();
  const optionId = (index: number) => `${id}-${index}`;
  const sessions = result?.sessions ?? [];
  const open = (session: ListedSession | undefined) => {
    if (!session) return;
    onClose();
    onOpen(session.id);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.nativeEvent.isComposing) open(sessions[chosen]);
    else if (event.key === "ArrowDown") setChosen(Math.min(chosen + 1, sessions.length - 1));
    else if (event.key === "ArrowUp") setChosen(Math.max(chosen - 1, 0));
    else return;
    event.preventDefault();
  };

  useEffect(() => {
    document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: "nearest" });
  }, [id, chosen]);

  return (
    <Dialog
      title={words().searchSessions}
      close={words().close}
      onClose={onClose}
      className="find-dialog"
    >
      <input
        className="search"
        type="search"
        role="combobox"
        aria-label={words().searchSessions}
        aria-controls={id}
        aria-expanded={sessions.length > 0}
        aria-autocomplete="list"
        aria-activedescendant={sessions.length ? optionId(chosen) : undefined}
        placeholder={words().search}
        autoFocus
        value={search}
        onChange={(event) => {
          setSearch(event.target.value);
          setChosen(0);
        }}
        onKeyDown={pressed}
      />
      <p className="muted" role="status">
        {statusOf(result, search)}
      </p>
      <ul id={id} role="listbox" aria-label={words().list}>
        {sessions.map((session, index) => (
          <li
            key={session.id}
            id={optionId(index)}
            role="option"
            aria-selected={index === chosen}
            onClick={() => open(session)}
            onMouseMove={() => setChosen(index)}
          >
            <bdi className="session-name">{nameOf(session)}</bdi>
            {session.match?.snippet && <Found snippet={session.match.snippet} />}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function useResult(search: string): Result | undefined {
  const [result, setResult] = useState<Result>();
  useEffect(() => {
    let isOver = false;
    const ask = async () => {
      const found = await resultOf(search.trim());
      if (!isOver) setResult({ ...found, search });
    };
    const timer = setTimeout(() => void ask(), search ? SOON : 0);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [search]);
  return result;
}

async function resultOf(search: string): Promise<Omit<Result, "search">> {
  try {
    return { sessions: (await listSessions(search, "active")).data };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { sessions: [], failure: error.message };
  }
}

function statusOf(result: Result | undefined, search: string): string {
  if (!result) return words().loading;
  if (result.search !== search) return words().searching;
  if (result.failure !== undefined) return result.failure;
  return result.sessions.length || !search ? "" : words().nothingFound;
}
