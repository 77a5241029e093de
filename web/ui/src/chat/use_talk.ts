/** What a person does in a session: writing, sending, choosing, taking back, asking again. */
import { useState } from "react";
import { isInput, Refused, type Choices, type Input, type Reply, type Waiting } from "../client";
import type { ProfileEntry, SessionInfo } from "../client/api.generated";
import { refusal } from "../languages/refusals";
import { changeSession } from "../sessions/sessions_api";
import type { Again } from "./messages/items";
import type { Actions } from "./messages/parts";
import type { ChatState, ChatStore } from "./store";
import { keepChoices, useChoices } from "./writing/use_choices";
import { useMessage, type Message } from "./writing/use_message";
import { useSession } from "./use_session";
import { useStable } from "./use_stable";

export interface Talk {
  readonly message: Message;
  readonly choices: Choices;
  readonly info: SessionInfo | undefined;
  readonly profiles: readonly ProfileEntry[];
  /** The profile and the model that answer. */
  readonly profile: ProfileEntry | undefined;
  readonly model: string | undefined;
  /** Why the last request was refused. */
  readonly failure: string | undefined;
  readonly actions: Actions;
  readonly send: (input: Input, onBusy?: "queue" | "interrupt") => void;
  /** How many messages were sent from here that appear in the conversation, not in the queue. */
  readonly sent: number;
  readonly choose: (changes: Choices) => void;
  readonly open: (id?: string) => void;
  readonly stop: () => void;
  readonly answer: (questionId: number, choice: string) => void;
  readonly cancel: (waiting: Waiting) => void;
  readonly edit: (waiting: Waiting) => void;
}

export function useTalk(chat: ChatStore, state: ChatState, owner: string): Talk {
  const { connection, sessionId, view, isNew } = state;
  const { client } = chat;
  const [failure, setFailure] = useState<string>();
  const message = useMessage(owner, sessionId, isNew);
  const [choices, setChoices] = useChoices(owner, sessionId, isNew);
  const [readings, setReadings] = useState(0);
  const [sent, setSent] = useState(0);
  const { info, profiles } = useSession(view, isNew, connection.kind === "live", readings);
  const wanted = (isNew ? choices.profile : info?.profile) ?? "default";
  const profile = profiles.find((one) => one.name === wanted);
  const model = choices.model ?? listedModel(info?.model, profile);

  const open = (id?: string) => {
    setFailure(undefined);
    chat.open(id);
  };
  const send = (input: Input, onBusy: "queue" | "interrupt" = "queue") => {
    setFailure(undefined);
    const { profile: chosen, ...rest } = choices;
    if (!view.isWorking || onBusy === "interrupt") setSent((before) => before + 1);
    const isElsewhere = isNew && chosen !== undefined && chosen !== "default";
    if (isNew) keepChoices(owner, sessionId, choices);
    chat.send(input, onBusy, {
      ...rest,
      ...(model !== undefined && { model }),
      ...(isElsewhere && { profile: chosen }),
    });
  };
  const tell = async (request: Promise<Reply>) => {
    const reply = await request;
    setFailure(reply.ok ? undefined : refusal(reply.error.code, reply.error.message));
    return reply;
  };
  const editWaiting = async (waiting: Waiting) => {
    const reply = await tell(client.cancel(sessionId, waiting.run_id));
    if (reply.ok) message.edit(isInput(reply.input) ? reply.input : waiting.input);
  };
  const choose = (changes: Choices) => {
    const { profile: chosen, ...rest } = changes;
    setChoices(isNew ? changes : rest);
    if (!isNew && chosen !== undefined) void changeProfile(chosen);
  };
  const changeProfile = async (chosen: string) => {
    try {
      await changeSession(sessionId, { profile: chosen });
      setReadings((before) => before + 1);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  const askAgain = async (again: Again, input: Input) => {
    try {
      const copy = await client.fork(sessionId, again.upTo);
      keepChoices(owner, copy, choices);
      open(copy);
      client.send(copy, input, "queue", {
        ...(model !== undefined && { model }),
        ...(choices.instructions && { instructions: choices.instructions }),
      });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setFailure(refusal(error.code, error.message));
    }
  };
  const actions: Actions = useStable({
    send,
    edit: message.edit,
    askAgain: (again, input) => void askAgain(again, input),
    retry: (outgoing) => client.outbox.retry(outgoing.id),
    discard: (outgoing) => client.outbox.remove(outgoing.id),
  } satisfies Actions);
  return {
    message,
    choices,
    info,
    profiles,
    profile,
    model,
    failure,
    actions,
    send,
    sent,
    choose,
    open,
    stop: () => void tell(client.abort(sessionId)),
    answer: (id, choice) => void tell(client.answer(sessionId, id, choice)),
    cancel: (waiting) => void tell(client.cancel(sessionId, waiting.run_id)),
    edit: (waiting) => void editWaiting(waiting),
  };
}

/** The model that the session names, if this gateway has it: others may be of an imported session. */
function listedModel(
  named: string | null | undefined,
  profile: ProfileEntry | undefined,
): string | undefined {
  return named != null && profile?.models?.includes(named) ? named : undefined;
}
