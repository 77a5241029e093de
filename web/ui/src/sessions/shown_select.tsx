import type { Shown } from "./sessions_api";
import { words } from "./words";

interface Props {
  readonly shown: Shown;
  readonly workspaces: readonly string[];
  readonly onShow: (shown: Shown) => void;
}

const WORKSPACE = "workspace:";

/** Which sessions are listed: those in use, archived ones, or those of a workspace. */
export function ShownSelect({ shown, workspaces, onShow }: Props) {
  return (
    <select
      className="shown-select"
      aria-label={words().show}
      value={typeof shown === "string" ? shown : WORKSPACE + shown.workspace}
      onChange={({ target: { value } }) => {
        if (value === "active" || value === "archived") onShow(value);
        else onShow({ workspace: value.slice(WORKSPACE.length) });
      }}
    >
      <option value="active">{words().shown}</option>
      <option value="archived">{words().archived}</option>
      {workspaces.length > 0 && (
        <optgroup label={words().workspaces}>
          {workspaces.map((one) => (
            <option key={one} value={WORKSPACE + one}>
              {one}
            </option>
          ))}
        </optgroup>
      )}
    </select>
  );
}
