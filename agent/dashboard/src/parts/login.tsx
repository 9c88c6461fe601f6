// Asks for the token where the server wants one. It is sent once; what stays is a cookie that no
// script can read.

import { useRef, useState } from "preact/hooks";

import { ApiError, post } from "../api/client";
import { t } from "../words";

/** The form; `done`: somebody is in. */
export function Login({ done }: { done: () => void }) {
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const send = async () => {
    setBusy(true);
    try {
      await post("/api/login", { token: input.current?.value.trim() ?? "" });
      done();
    } catch (error) {
      setFailure(sentence(error));
      input.current?.select();
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <h1>Tapline</h1>
        <p>{t("login_why")}</p>
        <label for="token">{t("token")}</label>
        <input
          ref={input}
          id="token"
          type="password"
          autocomplete="current-password"
          required
          aria-invalid={failure !== null}
          aria-describedby="login-failure"
        />
        <p id="login-failure" class="failure-text" role="alert">
          {failure}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {t("log_in")}
        </button>
      </form>
    </main>
  );
}

function sentence(error: unknown): string {
  if (!(error instanceof ApiError) || error.status === 0) {
    return t("unreachable");
  }
  return error.status === 401 ? t("wrong_token") : error.message;
}
