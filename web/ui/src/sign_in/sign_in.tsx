import { useState } from "react";
import { Logo } from "../design/icons";
import { WithCode } from "../languages/with_code";
import { signIn, type Found } from "./session";
import { words } from "./words";

interface Props {
  readonly why: string | undefined;
  readonly onFound: (found: Found) => void;
}

/** One field for the token. */
export function SignIn({ why, onFound }: Props) {
  const [token, setToken] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(why);

  const submit = async () => {
    if (!token.trim() || isBusy) return;
    setBusy(true);
    const found = await signIn(token.trim());
    setBusy(false);
    if (found.kind === "signed-in") onFound(found);
    else setError(found.why);
  };

  return (
    <main className="sign-in">
      <form
        className="sign-in-form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Logo />
        <h1>{words().title}</h1>
        {error !== undefined && (
          <p className="note note-needs" role="alert">
            {error}
          </p>
        )}
        <input
          className="hidden"
          name="username"
          autoComplete="username"
          defaultValue="holdfast"
          hidden
        />
        <label htmlFor="token">{words().token}</label>
        <input
          id="token"
          type="password"
          autoComplete="current-password"
          autoFocus
          value={token}
          aria-describedby="where"
          onChange={(event) => setToken(event.target.value)}
        />
        <button className="button button-main" disabled={isBusy || !token.trim()}>
          {isBusy ? words().signingIn : words().signIn}
        </button>
        <p id="where" className="muted">
          <WithCode text={words().where} />
        </p>
      </form>
    </main>
  );
}
