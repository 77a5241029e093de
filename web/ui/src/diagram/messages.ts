/** What the page and its frame for diagrams say to each other. */
export interface Wanted {
  readonly id: number;
  readonly text: string;
  readonly isDark: boolean;
}

export type Drawing =
  { readonly id: number; readonly svg: string } | { readonly id: number; readonly error: string };
