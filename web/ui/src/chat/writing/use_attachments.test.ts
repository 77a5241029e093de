import { act, renderHook, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { useAttachments } from "./use_attachments";

/** A text file, and what lets it be read. */
function slow(name: string): { file: File; open: () => Promise<unknown> } {
  const file = new File(["text"], name, { type: "text/plain" });
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const bytes = opened.then(() => new TextEncoder().encode("text").buffer);
  vi.spyOn(file, "arrayBuffer").mockReturnValue(bytes);
  return {
    file,
    open: () => {
      open();
      return bytes;
    },
  };
}

it("keeps files in the order in which they were given, however long each is read", async () => {
  const { result } = renderHook(() => useAttachments("s"));
  const [first, second] = [slow("first.txt"), slow("second.txt")];
  act(() => {
    result.current.add([first.file]);
    result.current.add([second.file]);
  });
  await act(second.open);
  await act(first.open);
  await waitFor(() => expect(result.current.attachments).toHaveLength(2));
  expect(result.current.attachments.map((one) => one.name)).toEqual(["first.txt", "second.txt"]);
});
