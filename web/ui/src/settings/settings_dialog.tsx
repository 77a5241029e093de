import { Dialog } from "../design/dialog";
import { LANGUAGE_NAMES } from "../languages/language";
import type { SignedIn } from "../sign_in/session";
import { Account } from "./account";
import { Choice } from "./choice";
import { NotificationSwitch } from "./notification_switch";
import { words } from "./words";

interface Props {
  readonly who: SignedIn;
  readonly onShortcuts: () => void;
  readonly onSignOut: () => void;
  readonly onClose: () => void;
}

/** What can be chosen in this browser, and who is signed in. */
export function SettingsDialog({ who, onShortcuts, onSignOut, onClose }: Props) {
  const w = words();
  return (
    <Dialog title={w.title} close={w.close} onClose={onClose} className="settings">
      <h3>{w.appearance}</h3>
      <Choice name="theme" label={w.theme} names={w.themes} />
      <Choice name="density" label={w.density} names={w.densities} />
      <Choice
        name="language"
        label={w.language}
        names={{ system: w.systemLanguage, ...LANGUAGE_NAMES }}
      />
      <h3>{w.writing}</h3>
      <Choice name="send_key" label={w.sendKey} names={w.sendKeys} />
      <h3>{w.notifications}</h3>
      <NotificationSwitch />
      <p className="muted">{w.thisBrowser}</p>
      <Account owner={who.owner} onSignOut={onSignOut} />
      <footer className="dialog-foot">
        <button type="button" className="quiet" onClick={onShortcuts}>
          {w.shortcuts}
        </button>
        <span className="muted">{w.about(who.version)}</span>
      </footer>
    </Dialog>
  );
}
