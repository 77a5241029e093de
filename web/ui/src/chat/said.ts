/** What the conversation says: states, questions, waiting messages, the welcome. */
import { spoken } from "../languages/catalogue";
import { number } from "../languages/formats";

const tenths = (value: number) =>
  number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const STATES = spoken(
  {
    seconds: (seconds: number) => `${seconds} s`,
    minutes: (minutes: number, seconds: number) => `${minutes} min ${seconds} s`,
    hours: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
    connecting: "Connecting",
    loading: "Loading",
    catchingUp: "Catching up",
    sentence: (what: string) => `${what}.`,
    for: (what: string, time: string) => `${what} for ${time}.`,
    nextTry: (time: string) => `Next try in ${time}.`,
    tryingNow: "Trying now.",
    tryNow: "Try now",
    noConnection: (time: string, next: string) => `No connection for ${time}. ${next}`,
    signedOut: "Signed out.",
    notConnected: "Not connected.",
    degraded: "A part of the server does not answer; something may be missing.",
    live: "Live",
    waitsForYou: "The agent waits for your answer.",
    stopping: "Stopping. What was said so far is kept.",
    polling: "The stream was lost. The agent goes on; its text is shown when it is done.",
    replaying: "The stream was lost, and goes on.",
    compressing: "Older messages are being summarized, so that the conversation fits the model.",
    queued: "Waiting for a worker.",
    waitingFor: (tool: string) => `Waiting for ${tool}.`,
    aTool: "a tool",
    noWord: "Waiting for the first word.",
    writing: "Writing.",
    thinking: "Thinking.",
    uncertain: "The gateway has not said whether it took the message.",
    busy: "The gateway cannot take it now.",
    againIn: (why: string, time: string) => `${why} Tried again in about ${time}.`,
    againSoon: (why: string) => `${why} Tried again soon.`,
    notCompressed: "Older messages could not be summarized; all were sent.",
    compressed: (before: string, after: string) =>
      `Older messages were summarized: ${before} tokens became ${after}.`,
    offline: "The agent goes on. What is missing here comes with the connection.",
    working: (what: string, time: string) => `${what} For ${time}.`,
    lessThan: (amount: string) => `less than ${amount}`,
  },
  {
    seconds: (seconds: number) => `${seconds} s`,
    minutes: (minutes: number, seconds: number) => `${minutes} min ${seconds} s`,
    hours: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
    connecting: "Verbindung wird aufgebaut",
    loading: "Wird geladen",
    catchingUp: "Wird nachgeholt",
    sentence: (what: string) => `${what}.`,
    for: (what: string, time: string) => `${what}, seit ${time}.`,
    nextTry: (time: string) => `Nächster Versuch in ${time}.`,
    tryingNow: "Neuer Versuch läuft.",
    tryNow: "Jetzt versuchen",
    noConnection: (time: string, next: string) => `Keine Verbindung seit ${time}. ${next}`,
    signedOut: "Abgemeldet.",
    notConnected: "Nicht verbunden.",
    degraded: "Ein Teil des Servers antwortet nicht; etwas kann fehlen.",
    live: "Verbunden",
    waitsForYou: "Der Agent wartet auf deine Antwort.",
    stopping: "Wird angehalten. Was bisher gesagt wurde, bleibt.",
    polling:
      "Der Datenstrom ging verloren. Der Agent arbeitet weiter; sein Text erscheint, wenn er fertig ist.",
    replaying: "Der Datenstrom ging verloren und geht weiter.",
    compressing:
      "Ältere Nachrichten werden zusammengefasst, damit die Unterhaltung in das Modell passt.",
    queued: "Wartet auf einen Worker.",
    waitingFor: (tool: string) => `Wartet auf ${tool}.`,
    aTool: "ein Werkzeug",
    noWord: "Wartet auf das erste Wort.",
    writing: "Schreibt.",
    thinking: "Denkt nach.",
    uncertain: "Das Gateway hat nicht gesagt, ob es die Nachricht angenommen hat.",
    busy: "Das Gateway kann sie jetzt nicht annehmen.",
    againIn: (why: string, time: string) => `${why} Neuer Versuch in etwa ${time}.`,
    againSoon: (why: string) => `${why} Neuer Versuch in Kürze.`,
    notCompressed: "Ältere Nachrichten konnten nicht zusammengefasst werden; alle wurden gesendet.",
    compressed: (before: string, after: string) =>
      `Ältere Nachrichten wurden zusammengefasst: Aus ${before} Token wurden ${after}.`,
    offline: "Der Agent arbeitet weiter. Was hier fehlt, kommt mit der Verbindung.",
    working: (what: string, time: string) => `${what} Seit ${time}.`,
    lessThan: (amount: string) => `weniger als ${amount}`,
  },
);

export const QUESTION = spoken(
  {
    label: "The agent asks",
    title: "The agent asks before it acts",
    choices: {
      once: { label: "Allow once", meaning: "this time only" },
      session: {
        label: "Allow in this session",
        meaning: "and everything like it, in this session",
      },
      always: { label: "Always allow", meaning: "and everything like it, in every session" },
      deny: { label: "Deny", meaning: "the agent goes on without it" },
    },
    chosen: (choice: string) => `You chose “${choice}”. Waiting for the agent to take it.`,
    later: "It can be answered when the connection is back.",
  },
  {
    label: "Der Agent fragt",
    title: "Der Agent fragt, bevor er handelt",
    choices: {
      once: { label: "Einmal erlauben", meaning: "nur dieses Mal" },
      session: {
        label: "In dieser Sitzung erlauben",
        meaning: "und alles dergleichen, in dieser Sitzung",
      },
      always: { label: "Immer erlauben", meaning: "und alles dergleichen, in jeder Sitzung" },
      deny: { label: "Ablehnen", meaning: "der Agent macht ohne das weiter" },
    },
    chosen: (choice: string) => `Du hast „${choice}“ gewählt. Der Agent muss es noch annehmen.`,
    later: "Antworten kannst du, wenn die Verbindung wieder da ist.",
  },
);

export const WAITING = spoken(
  {
    label: "Waiting messages",
    next: "Next",
    edit: "Edit this waiting message",
    cancel: "Cancel this waiting message",
  },
  {
    label: "Wartende Nachrichten",
    next: "Als Nächstes",
    edit: "Diese wartende Nachricht bearbeiten",
    cancel: "Diese wartende Nachricht zurücknehmen",
  },
);

export const COPY = spoken(
  {
    what: {
      code: "Copy code",
      answer: "Copy answer",
      message: "Copy message",
      source: "Copy source",
    },
    done: "Copied",
    failed: "Not copied: the browser forbids it",
  },
  {
    what: {
      code: "Code kopieren",
      answer: "Antwort kopieren",
      message: "Nachricht kopieren",
      source: "Quelltext kopieren",
    },
    done: "Kopiert",
    failed: "Nicht kopiert: Der Browser verbietet es",
  },
);

export const WELCOME = spoken(
  {
    title: "What shall the agent do?",
    promise:
      "Close the tab or lose the connection whenever you like: the answer goes on, and is here when you come back.",
    long: {
      label: "A long answer",
      hint: "Close the tab meanwhile, or restart the server",
      text: "Say something long.",
    },
    tool: {
      label: "A tool",
      hint: "How a call and its result look",
      text: "Count these words with a tool.",
    },
    question: {
      label: "A question",
      hint: "It waits for your answer, in every tab",
      text: "Ask me first.",
    },
    demo: "Demo gateway: no model is behind it. How to connect one",
    connect: "Start the API server of your Hermes Agent, and Holdfast with its address and key:",
  },
  {
    title: "Was soll der Agent tun?",
    promise:
      "Schließe den Tab oder verliere die Verbindung, wann du willst: Die Antwort geht weiter und ist da, wenn du zurückkommst.",
    long: {
      label: "Eine lange Antwort",
      hint: "Schließe währenddessen den Tab, oder starte den Server neu",
      text: "Sag etwas Langes.",
    },
    tool: {
      label: "Ein Werkzeug",
      hint: "Wie ein Aufruf und sein Ergebnis aussehen",
      text: "Zähle diese Wörter mit einem Werkzeug (tool).",
    },
    question: {
      label: "Eine Frage",
      hint: "Sie wartet auf deine Antwort, in jedem Tab",
      text: "Frag mich zuerst.",
    },
    demo: "Demo-Gateway: Dahinter ist kein Modell. So verbindest du eines",
    connect:
      "Starte den API-Server deines Hermes Agent und Holdfast mit dessen Adresse und Schlüssel:",
  },
);

export const PARTS = spoken(
  {
    conversation: "Conversation",
    toEnd: "To the newest",
    agent: "Agent",
    given: "Called with",
    result: "Result",
    noResult: "No result was kept.",
    showAll: (characters: string) => `Show all ${characters} characters`,
    states: { running: "running", failed: "failed", done: "done" },
    took: (state: string, seconds: number) => `${state} in ${tenths(seconds)} s`,
    endings: {
      failed: "This run failed.",
      stopped: "Stopped.",
      unanswered: "There is no answer to this message.",
    },
    unconfirmed: "The gateway has not confirmed that it stopped.",
    sendAgain: "Send again",
    table: "Table",
    formula: "Formula",
    code: "text",
  },
  {
    conversation: "Unterhaltung",
    toEnd: "Zum Neuesten",
    agent: "Agent",
    given: "Aufgerufen mit",
    result: "Ergebnis",
    noResult: "Es wurde kein Ergebnis aufbewahrt.",
    showAll: (characters: string) => `Alle ${characters} Zeichen anzeigen`,
    states: { running: "läuft", failed: "fehlgeschlagen", done: "fertig" },
    took: (state: string, seconds: number) => `${state} in ${tenths(seconds)} s`,
    endings: {
      failed: "Dieser Lauf ist fehlgeschlagen.",
      stopped: "Angehalten.",
      unanswered: "Auf diese Nachricht gibt es keine Antwort.",
    },
    unconfirmed: "Das Gateway hat nicht bestätigt, dass es angehalten hat.",
    sendAgain: "Erneut senden",
    table: "Tabelle",
    formula: "Formel",
    code: "Text",
  },
);
