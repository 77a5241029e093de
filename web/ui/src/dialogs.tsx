import { useEffect, useState } from "react";
import type { ChatStore } from "./chat/store";
import { SearchDialog } from "./sessions/search_dialog";
import { closeSettings, openSettings, useSettingsOpen } from "./settings/address";
import { SettingsDialog } from "./settings/settings_dialog";
import { ShortcutHelp } from "./shortcuts/help";
import { followKeys, useShortcut } from "./shortcuts/use_shortcut";
import type { SignedIn } from "./sign_in/session";

interface Props {
  readonly chat: ChatStore;
  readonly who: SignedIn;
  readonly onSignOut: () => void;
}

/** What opens over the page: the settings, the shortcuts, the search. One at a time. */
export function Dialogs({ chat, who, onSignOut }: Props) {
  const [open, setOpen] = useState<"help" | "search">();
  const isSettingsOpen = useSettingsOpen();
  const close = () => setOpen(undefined);

  useEffect(followKeys, []);
  useShortcut("help", () => setOpen("help"));
  useShortcut("search", () => setOpen("search"));
  useShortcut("settings", openSettings);
  useShortcut("edit_last", () => {
    const last = [...document.querySelectorAll<HTMLElement>(".prompt-tools [data-edit]")].at(-1);
    if (!last) return false;
    last.click();
  });
  useShortcut("composer", () => document.getElementById("message")?.focus());
  useShortcut("sessions", () =>
    document.querySelector<HTMLElement>("#sessions [data-session] a[tabindex='0']")?.focus(),
  );

  if (open === "help") return <ShortcutHelp onClose={close} />;
  if (open === "search") return <SearchDialog onClose={close} onOpen={(id) => chat.open(id)} />;
  if (!isSettingsOpen) return null;
  return (
    <SettingsDialog
      who={who}
      onShortcuts={() => {
        closeSettings();
        setOpen("help");
      }}
      onSignOut={onSignOut}
      onClose={closeSettings}
    />
  );
}
