import { useEffect, useRef, type ReactNode } from "react";

interface Props {
  readonly className: string;
  readonly title: string;
  /** What screen readers say of the button, if its text does not say it. */
  readonly label?: string;
  readonly button: ReactNode;
  /** It opens upwards. */
  readonly isUp?: boolean;
  readonly children: ReactNode;
}

/** A button and what it opens; Escape and a click elsewhere close that. */
export function Popover({ className, title, label, button, isUp = false, children }: Props) {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const found = box.current;
      if (!found?.open) return;
      const isEscape = event instanceof KeyboardEvent && event.key === "Escape";
      const isElsewhere = event.type === "pointerdown" && !found.contains(event.target as Node);
      if (isEscape || isElsewhere) found.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  return (
    <details ref={box} className={className}>
      <summary title={title} aria-label={label}>
        {button}
      </summary>
      <div className={isUp ? "popover popover-up" : "popover"}>{children}</div>
    </details>
  );
}
