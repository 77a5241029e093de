/** What the tabs of this browser tell each other. A message may be lost: it is a hint. */
export class Channel<T> {
  private readonly channel: BroadcastChannel | undefined;

  constructor(name: string, onMessage: (message: T) => void) {
    if (typeof BroadcastChannel === "undefined") return;
    this.channel = new BroadcastChannel(`holdfast.${name}`);
    this.channel.onmessage = (event: MessageEvent<T>) => onMessage(event.data);
  }

  tell(message: T): void {
    this.channel?.postMessage(message);
  }

  close(): void {
    this.channel?.close();
  }
}
