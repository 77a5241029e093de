import { createRoot } from "react-dom/client";
import { App } from "./app";
import "./design/tokens.css";
import "./design/base.css";
import "./design/chat.css";
import "./design/dialog.css";
import "./design/prose.css";
import "./design/sessions.css";
import { registerServiceWorker } from "./installed/register";
import { findSession } from "./sign_in/session";

const root = document.getElementById("root");
if (root) createRoot(root).render(<App first={findSession()} />);
registerServiceWorker();
