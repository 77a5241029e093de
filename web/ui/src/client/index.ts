/** What others may use of the client; its README tells how. */
export { Client, type ClientOptions } from "./client";
export { ask, Refused, sessionPath, type Access } from "./http";
export { NoAnswer, type ConnectionState } from "./connection";
export { countOf, inputOf } from "./view";
export { blockImage, blockText, isInput, type Block, type Input } from "./input";
export type { Choices, Outgoing, Store } from "./outbox";
export type { LiveMessage } from "./fold";
export { newId } from "./ids";
export { MemoryStore } from "./memory_store";
export * from "./protocol.generated";
export { messagesOf, type End, type Question, type SessionView } from "./view";
