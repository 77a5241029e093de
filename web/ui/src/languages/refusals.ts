/** Why the server refused something, in the language of this browser. It says so in English, with a
 * code; what has no translation here is shown as the server says it. */
import { language } from "./language";

const GERMAN: Readonly<Record<string, string>> = {
  bad_request: "So kann die Anfrage nicht bearbeitet werden.",
  invalid_payload: "Der Server versteht diese Anfrage nicht.",
  unknown_profile: "Dieses Profil gibt es nicht.",
  request_conflict: "Unter dieser Kennung wurde schon etwas anderes gesendet.",
  idempotency_key_conflict: "Unter dieser Kennung wurde schon etwas anderes gesendet.",
  queue_full:
    "In dieser Unterhaltung warten zu viele Nachrichten. Sende weitere, wenn einige beantwortet sind.",
  quota: "Du hast so viele Läufe, wie gleichzeitig erlaubt sind. Warte, bis einige fertig sind.",
  session_too_large:
    "Diese Unterhaltung ist so groß, wie sie sein darf. Beginne eine neue oder sende weniger.",
  session_busy: "In dieser Unterhaltung läuft noch etwas.",
  response_in_progress: "Diese Antwort wird schon fortgesetzt.",
  session_exists: "Eine Unterhaltung mit dieser Kennung gibt es schon.",
  invalid_title: "Diesen Titel kann eine Unterhaltung nicht haben.",
  search_too_broad: "Die Suche findet zu viel. Nimm längere oder mehr Wörter.",
  expired: "Die Frage wurde schon beantwortet, oder der Agent wartet nicht mehr auf eine Antwort.",
  not_found: "Das gibt es nicht, oder es gehört dir nicht.",
  unauthenticated: "Deine Anmeldung ist abgelaufen.",
  forbidden: "Dazu hast du nicht die Rechte.",
  foreign_origin: "Diese Anfrage kam von einer fremden Seite.",
  refused_origin: "Diese Anfrage kam von einer fremden Seite.",
  unknown_host: "Unter diesem Namen antwortet der Server nicht.",
  unknown_event: "Der Server kennt diese Anfrage nicht.",
  too_large: "Das ist größer, als der Server annimmt.",
  too_many_requests: "Es kamen zu viele Anfragen. Versuche es gleich noch einmal.",
  too_many_sessions: "Auf dieser Verbindung sind zu viele Unterhaltungen offen.",
  too_many_streams: "Es sind zu viele Ströme offen. Schließe einige.",
  draining: "Der Server startet gerade neu. Versuche es gleich noch einmal.",
  unavailable: "Ein Dienst, den Holdfast braucht, antwortet nicht. Versuche es gleich noch einmal.",
  overloaded: "Es warten schon zu viele Läufe. Versuche es in einer Weile noch einmal.",
  database_unavailable: "Die Datenbank antwortet nicht. Versuche es gleich noch einmal.",
  redis_unavailable: "Redis antwortet nicht. Versuche es gleich noch einmal.",
  internal: "In Holdfast ist ein Fehler aufgetreten.",
  ownership_lost: "Ein anderer Worker hat diesen Lauf übernommen.",
  gateway_error: "Das Gateway hat mit einem Fehler geantwortet.",
  gateway_unreachable: "Das Gateway ist nicht erreichbar.",
  gateway_busy: "Das Gateway hat gerade keinen Platz.",
  gateway_conflict: "Das Gateway ist nicht in dem Zustand, den die Anfrage braucht.",
  gateway_lost_run: "Das Gateway kennt diesen Lauf nicht mehr.",
  gateway_no_response: "Das Gateway antwortet nicht.",
  gateway_unsupported: "Das Gateway ist zu alt dafür.",
  post_uncertain: "Es ist ungewiss, ob das Gateway die Nachricht angenommen hat.",
  stream_broken: "Die Verbindung zum Gateway ist abgebrochen.",
  worker_lost: "Der Worker dieses Laufs ist ausgefallen.",
  timeout: "Der Lauf hat länger gedauert, als er darf.",
  aborted: "Der Lauf wurde angehalten.",
  start_deadline: "Der Lauf hat zu lange auf einen Platz gewartet.",
  no_answer: "Der Server antwortet nicht.",
};

export function refusal(code: string | undefined, message: string): string {
  return (language() === "de" && code !== undefined && GERMAN[code]) || message;
}
