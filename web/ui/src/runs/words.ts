/** All that this room says to people, in the language of the page. */
import type { TimelineStep } from "../client/api.generated";
import { catalogue, spoken } from "../languages/catalogue";
import { ENGLISH, ENGLISH_REASONS, ENGLISH_STATUS, ENGLISH_STEPS } from "./english";
import { GERMAN, GERMAN_REASONS, GERMAN_STATUS, GERMAN_STEPS } from "./german";

export const WORDS = spoken(ENGLISH, GERMAN);
export const STATUS = spoken(ENGLISH_STATUS, GERMAN_STATUS);
const STEP = spoken(ENGLISH_STEPS, GERMAN_STEPS);
const reasons = catalogue(ENGLISH_REASONS, GERMAN_REASONS);
const details = catalogue(
  {
    failed: "with an error",
    takenOver: "taken over from another worker",
    polling: "asks for the state",
    streaming: "reads the stream again",
    delay: (seconds: string) => `in ${seconds} s`,
  },
  {
    failed: "mit einem Fehler",
    takenOver: "von einem anderen Worker übernommen",
    polling: "fragt nach dem Zustand",
    streaming: "liest den Strom wieder",
    delay: (seconds: string) => `in ${seconds} s`,
  },
);

export function reasonWords(reason: string | null): string {
  return reason === null ? "" : (reasons()[reason] ?? reason);
}

export function stepWords(step: TimelineStep): string {
  return STEP[step.step];
}

/** The details of a step; empty if it has none. */
export function stepDetails(step: TimelineStep): string {
  const found: string[] = [];
  if (step.tool) found.push(step.tool);
  if (step.failed) found.push(details().failed);
  if (step.taken_over) found.push(details().takenOver);
  if (step.mode) found.push(step.mode === "polling" ? details().polling : details().streaming);
  if (step.choice) found.push(step.choice);
  if (step.reason) found.push(reasonWords(step.reason));
  if (step.delay) found.push(details().delay(String(step.delay)));
  return found.join(", ");
}
