/** What notifications say. */
import { catalogue } from "../languages/catalogue";

export const words = catalogue(
  {
    done: "The answer is done",
    failed: "The answer has failed",
    question: "The agent has a question",
    of: (what: string, title: string) => `${what}: ${title}`,
  },
  {
    done: "Die Antwort ist fertig",
    failed: "Die Antwort ist fehlgeschlagen",
    question: "Der Agent hat eine Frage",
    of: (what: string, title: string) => `${what}: ${title}`,
  },
);
