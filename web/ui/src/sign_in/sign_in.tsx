import { useState } from "react";
import { Logo } from "../design/icons";
import { signIn, type Found } from "./session";

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
        <h1>Sign in to Holdfast</h1>
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
        <label htmlFor="token">Token</label>
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
          {isBusy ? "Signing in" : "Sign in"}
        </button>
        <p id="where" className="muted">
          <code>make run</code> and <code>holdfast up</code> print the token, and keep it in{" "}
          <code>~/.holdfast/token</code>. <code>holdfast link</code> prints an address that needs
          none. If somebody else runs this server, ask them for yours.
        </p>
      </form>
    </main>
  );
}
