import { useState } from "react";
import { askPermission, permission } from "../notifications/permission";
import { choose, usePreference } from "./preferences";
import { words } from "./words";

/** Notifications on or off. The browser asks the person when they are switched on, never before. */
export function NotificationSwitch() {
  const isWanted = usePreference("notifications") === "on";
  const [allowed, setAllowed] = useState(permission);
  const change = async (isOn: boolean) => {
    const answer = isOn ? await askPermission() : allowed;
    setAllowed(answer);
    choose("notifications", isOn && answer === "granted" ? "on" : "off");
  };
  return (
    <div className="choice">
      <label>
        <input
          type="checkbox"
          checked={isWanted && allowed === "granted"}
          disabled={allowed === "missing"}
          onChange={(event) => void change(event.target.checked)}
        />
        <span>{words().notify}</span>
      </label>
      {allowed === "denied" && <p className="note note-needs">{words().denied}</p>}
      {allowed === "missing" && <p className="muted">{words().noNotifications}</p>}
    </div>
  );
}
