import { Dialog } from "../design/dialog";
import { usePreference } from "../settings/preferences";
import { KeyNames, namesOf } from "./key_names";
import { SHORTCUTS, type Keys } from "./table";
import { words } from "./words";

/** All shortcuts. */
export function ShortcutHelp({ onClose }: { readonly onClose: () => void }) {
  const sendsWithEnter = usePreference("send_key") === "enter";
  const w = words();
  const enter: Keys = { key: "enter" };
  const ctrlEnter: Keys = { key: "enter", mod: true };
  const list: readonly (readonly [string, readonly (readonly string[])[]])[] = [
    [w.move, [[w.keys.arrowup], [w.keys.arrowdown]]],
    [w.ends, [[w.home], [w.end]]],
    [w.openSession, [[w.keys.enter]]],
    [w.rename, [["F2"]]],
    [w.remove, [[w.del]]],
  ];
  return (
    <Dialog title={w.title} close={w.close} onClose={onClose} className="shortcut-help">
      <h3>{w.inChat}</h3>
      <dl>
        {SHORTCUTS.map((one) => (
          <Row key={one.id} name={w.does[one.id]} keys={one.keys.map(namesOf)} />
        ))}
      </dl>
      <p className="muted">{w.newInApp}</p>
      <h3>{w.writing}</h3>
      <dl>
        <Row
          name={w.send}
          keys={(sendsWithEnter ? [enter, ctrlEnter] : [ctrlEnter]).map(namesOf)}
        />
        <Row
          name={w.newLine}
          keys={[{ ...enter, shift: true }, ...(sendsWithEnter ? [] : [enter])].map(namesOf)}
        />
      </dl>
      <h3>{w.inList}</h3>
      <dl>
        {list.map(([name, keys]) => (
          <Row key={name} name={name} keys={keys} />
        ))}
      </dl>
    </Dialog>
  );
}

function Row({ name, keys }: { name: string; keys: readonly (readonly string[])[] }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <KeyNames alternatives={keys} />
      </dd>
    </div>
  );
}
