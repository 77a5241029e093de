/** What signing in says. */
import { catalogue } from "../languages/catalogue";
import { number, plural } from "../languages/formats";

export const words = catalogue(
  {
    title: "Sign in to Holdfast",
    token: "Token",
    signIn: "Sign in",
    signingIn: "Signing in",
    where:
      "`make run` and `holdfast up` print the token, and keep it in `~/.holdfast/token`. " +
      "`holdfast link` prints an address that needs none. " +
      "If somebody else runs this server, ask them for yours.",
    linkUsed: "This link was used already, or is older than ten minutes.",
    wrong: "This token is not valid here.",
    tooMany: "Too many wrong tokens came from here. Wait a minute.",
    ended: "Your sign-in has ended. What you wrote is kept.",
    unreachable: "The server cannot be reached.",
    status: (status: number) => `The server answers with status ${number(status)}.`,
    asking: "Asking who you are",
    loading: "Loading",
    leaving: "Signing out",
    again: (why: string) => `${why} Trying again every three seconds`,
    waited: (what: string, seconds: number) =>
      plural(seconds, { one: `${what}, for # second.`, other: `${what}, for # seconds.` }),
    sentence: (what: string) => `${what}.`,
  },
  {
    title: "Bei Holdfast anmelden",
    token: "Token",
    signIn: "Anmelden",
    signingIn: "Anmeldung läuft",
    where:
      "`make run` und `holdfast up` geben den Token aus und bewahren ihn in `~/.holdfast/token` auf. " +
      "`holdfast link` gibt eine Adresse aus, die keinen braucht. " +
      "Wenn jemand anderes diesen Server betreibt, frage dort nach deinem.",
    linkUsed: "Dieser Link wurde schon benutzt oder ist älter als zehn Minuten.",
    wrong: "Dieser Token gilt hier nicht.",
    tooMany: "Von hier kamen zu viele falsche Token. Warte eine Minute.",
    ended: "Deine Anmeldung ist abgelaufen. Was du geschrieben hast, ist noch da.",
    unreachable: "Der Server ist nicht erreichbar.",
    status: (status: number) => `Der Server antwortet mit Status ${number(status)}.`,
    asking: "Es wird gefragt, wer du bist",
    loading: "Wird geladen",
    leaving: "Du wirst abgemeldet",
    again: (why: string) => `${why} Alle drei Sekunden wird es erneut versucht`,
    waited: (what: string, seconds: number) =>
      plural(seconds, { one: `${what}, seit # Sekunde.`, other: `${what}, seit # Sekunden.` }),
    sentence: (what: string) => `${what}.`,
  },
);
