import * as z from "zod";
import type { Message } from "./messages.ts";
import type { Person } from "./presence.ts";

/** The subprotocol that clients ask for. */
export const PROTOCOL = "chat.v1";

const roomId = z.uuid();

/** What a client may say, each a text frame of JSON. `docs/chat-protocol.md` describes them for people. */
export const ClientFrame = z.discriminatedUnion("type", [
  /** Follow a room; with `after`, beginning behind that message. */
  z.strictObject({ type: z.literal("subscribe"), roomId, after: z.int().min(0).optional() }),
  z.strictObject({ type: z.literal("unsubscribe"), roomId }),
  z.strictObject({ type: z.literal("post"), roomId, text: z.string().max(4_000).regex(/\S/), clientId: z.uuid() }),
  z.strictObject({ type: z.literal("read"), roomId, seq: z.int().min(0) }),
]);

export type ClientFrame = z.output<typeof ClientFrame>;

export type ServerFrame =
  | { readonly type: "subscribed"; readonly roomId: string; readonly lastSeq: number; readonly online: readonly Person[] }
  | { readonly type: "unsubscribed"; readonly roomId: string }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "posted"; readonly clientId: string; readonly message: Message }
  | { readonly type: "presence"; readonly roomId: string; readonly online: readonly Person[] }
  | {
      readonly type: "problem";
      readonly status: number;
      readonly title: string;
      readonly detail?: string;
      /** What it is about. */
      readonly roomId?: string;
      readonly clientId?: string;
    };

/** Why a socket is closed; 1000 to 1999 are the protocol's own (RFC 6455). */
export const CLOSE = { goingAway: 1001, policy: 1008, tryLater: 1013, tokenEnded: 4401 } as const;
