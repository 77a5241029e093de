/** States in words: since when, and for what one waits. Pure. */
import type { ConnectionState, SessionView } from "../client";
import { spoken } from "../languages/catalogue";
import { number as formatted } from "../languages/formats";
import { STATES } from "./said";

export interface Words {
  readonly text: string;
  /** `live`: all is well. `wait`: it ends by itself. `needs`: somebody can do something. */
  readonly tone: "live" | "wait" | "needs";
}

export function seconds(milliseconds: number): string {
  const all = Math.max(0, Math.round(milliseconds / 1000));
  if (all < 60) return STATES.seconds(all);
  const minutes = Math.floor(all / 60);
  return minutes < 60
    ? STATES.minutes(minutes, all % 60)
    : STATES.hours(Math.floor(minutes / 60), minutes % 60);
}

export function connectionWords(state: ConnectionState, view: SessionView, now: number): Words {
  switch (state.kind) {
    case "live":
      return viewWords(view, now);
    case "connecting":
      return { text: since(STATES.connecting, state.since, now), tone: "wait" };
    case "waiting": {
      const left = state.retryAt - now;
      const next = left > 500 ? STATES.nextTry(seconds(left)) : STATES.tryingNow;
      return {
        text: STATES.noConnection(seconds(now - state.since), next),
        tone: "needs",
      };
    }
    case "signed-out":
      return { text: STATES.signedOut, tone: "needs" };
    case "closed":
      return { text: STATES.notConnected, tone: "wait" };
  }
}

function viewWords(view: SessionView, now: number): Words {
  if (view.state === "loading")
    return { text: since(STATES.loading, view.since, now), tone: "wait" };
  if (view.state === "stale")
    return { text: since(STATES.catchingUp, view.since, now), tone: "wait" };
  if (view.degraded)
    return {
      text: STATES.degraded,
      tone: "wait",
    };
  return { text: STATES.live, tone: "live" };
}

function since(what: string, at: number, now: number): string {
  return now - at < 2_000 ? STATES.sentence(what) : STATES.for(what, seconds(now - at));
}

/** What the live run does. */
export function runWords(view: SessionView): string {
  if (view.questions.length) return STATES.waitsForYou;
  const states = view.states;
  if (states.has("abort.started") || view.status === "stopping") return STATES.stopping;
  if (states.has("run.retrying")) return retryWords(states.get("run.retrying"));
  if (states.get("run.reattached")?.["mode"] === "polling") return STATES.polling;
  if (states.has("run.reattached")) return STATES.replaying;
  if (states.has("compression.started") && !states.has("compression.completed"))
    return STATES.compressing;
  if (view.status === "queued") return STATES.queued;
  const last = view.live.at(-1);
  if (last?.role === "tool" && last.open) return STATES.waitingFor(last.tool_name ?? STATES.aTool);
  if (!last) return STATES.noWord;
  return last.content ? STATES.writing : STATES.thinking;
}

function retryWords(event: Record<string, unknown> | undefined): string {
  const delay = typeof event?.["delay"] === "number" ? event["delay"] : 0;
  const uncertain = event?.["reason"] === "post_uncertain";
  const why = uncertain ? STATES.uncertain : STATES.busy;
  return delay > 0 ? STATES.againIn(why, STATES.seconds(Math.ceil(delay))) : STATES.againSoon(why);
}

/** What a summary of older messages has saved; empty if there was none. */
export function compressionWords(view: SessionView): string {
  const done = view.states.get("compression.completed");
  if (!done) return "";
  if (done["compressed"] !== true) return STATES.notCompressed;
  const count = (value: unknown) => (typeof value === "number" ? number(value) : "?");
  return STATES.compressed(count(done["beforeTokens"]), count(done["afterTokens"]));
}

export const OLDEST = spoken(
  {
    loading: "Older messages are being read.",
    failed: "Older messages could not be read.",
    again: "Try again",
    beginning: "The beginning of the conversation.",
  },
  {
    loading: "Ältere Nachrichten werden gelesen.",
    failed: "Ältere Nachrichten konnten nicht gelesen werden.",
    again: "Erneut versuchen",
    beginning: "Der Anfang der Unterhaltung.",
  },
);

export const ATTACHMENTS = spoken(
  {
    add: "Add images or files",
    attached: "Files of this message",
    remove: (name: string) => `Remove ${name}`,
    pasted: "pasted",
    image: "Image",
    elsewhere: "An image of another server, which is not loaded here.",
    drop: "Drop images or text files here.",
    many: (most: number) => `A message can have ${most} files at most; the others were left out.`,
    large: (name: string, most: number) => `${name} is too large: an image may have ${most} MB.`,
    longText: (name: string, most: number) =>
      `${name} is too long: a text file may have ${most} KB. Let the agent read it with a tool instead.`,
    noText: (name: string) => `${name} is neither an image nor text, and cannot be sent.`,
    noImage: (name: string) => `${name} cannot be read as an image.`,
    unreadable: "A file could not be read.",
  },
  {
    add: "Bilder oder Dateien hinzufügen",
    attached: "Dateien dieser Nachricht",
    remove: (name: string) => `${name} entfernen`,
    pasted: "eingefügt",
    image: "Bild",
    elsewhere: "Ein Bild eines anderen Servers, das hier nicht geladen wird.",
    drop: "Bilder oder Textdateien hier ablegen.",
    many: (most: number) =>
      `Eine Nachricht kann höchstens ${most} Dateien haben; die übrigen wurden weggelassen.`,
    large: (name: string, most: number) => `${name} ist zu groß: Ein Bild darf ${most} MB haben.`,
    longText: (name: string, most: number) =>
      `${name} ist zu lang: Eine Textdatei darf ${most} KB haben. Lass sie den Agenten mit einem Werkzeug lesen.`,
    noText: (name: string) => `${name} ist weder Bild noch Text und kann nicht gesendet werden.`,
    noImage: (name: string) => `${name} kann nicht als Bild gelesen werden.`,
    unreadable: "Eine Datei konnte nicht gelesen werden.",
  },
);

export const PROMPT = spoken(
  {
    you: "You",
    edit: "Edit, and ask again",
    editing: "Your message, changed",
    hint: "The conversation up to here is copied, and goes on with this message. This one stays as it is.",
    send: "Send in a copy",
    cancel: "Cancel",
    isCut: "Cut here; the whole text was sent.",
  },
  {
    you: "Du",
    edit: "Bearbeiten und erneut fragen",
    editing: "Deine Nachricht, geändert",
    hint: "Die Unterhaltung bis hier wird kopiert und geht mit dieser Nachricht weiter. Diese bleibt, wie sie ist.",
    send: "In einer Kopie senden",
    cancel: "Abbrechen",
    isCut: "Hier gekürzt; gesendet wurde der ganze Text.",
  },
);

export const FOOT = spoken(
  {
    again: "Ask again in a copy",
    tokens: (input: string, output: string) => `${input} tokens in, ${output} out`,
  },
  {
    again: "In einer Kopie erneut fragen",
    tokens: (input: string, output: string) => `${input} Token hinein, ${output} heraus`,
  },
);

export const OUTGOING = spoken(
  {
    waiting: "Not sent yet. It is kept, and sent as soon as possible.",
    refused: "The server refused it.",
    again: "Send again",
    edit: "Edit",
    discard: "Discard",
  },
  {
    waiting: "Noch nicht gesendet. Sie ist aufgehoben und wird so bald wie möglich gesendet.",
    refused: "Der Server hat sie abgelehnt.",
    again: "Erneut senden",
    edit: "Bearbeiten",
    discard: "Verwerfen",
  },
);

export const METER = spoken(
  {
    context: (used: string, size: string, share: number) =>
      `Context: ${used} of ${size} tokens, ${share} %`,
    summarized: (from: string) => `Older messages are summarized from about ${from} tokens on.`,
    assumed: "The size is assumed, as the profile does not name it.",
    session: (input: string, output: string) =>
      `This session so far: ${input} tokens in, ${output} out`,
  },
  {
    context: (used: string, size: string, share: number) =>
      `Kontext: ${used} von ${size} Token, ${share} %`,
    summarized: (from: string) =>
      `Ältere Nachrichten werden ab etwa ${from} Token zusammengefasst.`,
    assumed: "Die Größe ist angenommen, da das Profil sie nicht nennt.",
    session: (input: string, output: string) =>
      `Diese Sitzung bisher: ${input} Token hinein, ${output} heraus`,
  },
);

export const OPTIONS = spoken(
  {
    title: "Model and instructions of this session",
    ownModel: "Gateway's model",
    withInstructions: "instructions",
    profile: "Profile",
    unavailable: (name: string) => `${name} (does not answer)`,
    model: "Model",
    default: (name: string) => (name ? `Gateway's own (${name})` : "Gateway's own"),
    instructions: "Instructions",
    instructionsHint: "What the agent is told before each message of this session",
    note: "Messages from now on. Instructions are kept on this device.",
  },
  {
    title: "Modell und Anweisungen dieser Sitzung",
    ownModel: "Modell des Gateways",
    withInstructions: "Anweisungen",
    profile: "Profil",
    unavailable: (name: string) => `${name} (antwortet nicht)`,
    model: "Modell",
    default: (name: string) => (name ? `Das des Gateways (${name})` : "Das des Gateways"),
    instructions: "Anweisungen",
    instructionsHint: "Was dem Agenten vor jeder Nachricht dieser Sitzung gesagt wird",
    note: "Gilt für Nachrichten von jetzt an. Anweisungen bleiben auf diesem Gerät.",
  },
);

export function number(value: number): string {
  return formatted(value, { maximumFractionDigits: 0 });
}

export function dollars(value: number): string {
  const isTiny = value > 0 && value < 0.01;
  const shown = formatted(isTiny ? 0.01 : value, { style: "currency", currency: "USD" });
  return isTiny ? STATES.lessThan(shown) : shown;
}

export const COMPOSER = spoken(
  {
    message: "Message",
    write: "Write a message",
    next: "Write what comes next",
    stop: "Stop",
    interrupt: "Stop and send",
    queue: "Queue",
    send: "Send",
  },
  {
    message: "Nachricht",
    write: "Schreibe eine Nachricht",
    next: "Schreibe, was als Nächstes kommt",
    stop: "Anhalten",
    interrupt: "Anhalten und senden",
    queue: "Einreihen",
    send: "Senden",
  },
);

export const PAGE = spoken(
  {
    untitled: "New chat",
    sessions: "Sessions",
    deleted: "This session was deleted.",
  },
  {
    untitled: "Neuer Chat",
    sessions: "Sitzungen",
    deleted: "Diese Sitzung wurde gelöscht.",
  },
);

export const DIAGRAM = spoken(
  {
    name: "Diagram",
    alt: "The diagram that the source below describes",
    drawing: "The diagram is being drawn.",
    failed: (why: string) => `It cannot be drawn. ${why}`,
    source: "Source",
  },
  {
    name: "Diagramm",
    alt: "Das Diagramm, das der Quelltext darunter beschreibt",
    drawing: "Das Diagramm wird gezeichnet.",
    failed: (why: string) => `Es kann nicht gezeichnet werden. ${why}`,
    source: "Quelltext",
  },
);

export const REASONING = spoken(
  {
    live: "Thinking",
    done: (took: number | undefined) =>
      took === undefined ? "Thoughts" : `Thought for ${seconds(took * 1000)}`,
  },
  {
    live: "Denkt nach",
    done: (took: number | undefined) =>
      took === undefined ? "Gedanken" : `Hat ${seconds(took * 1000)} nachgedacht`,
  },
);
