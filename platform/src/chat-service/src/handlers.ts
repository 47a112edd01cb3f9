import { type Handler, on, type Outbox, userSignedUp, videoPublished } from "@platform/events";
import { postSystem } from "./messages.ts";
import { addMember, LOBBY } from "./rooms.ts";

/** What chat does about the other services' events: it remembers names, and tells the lobby. */
export function createHandlers(outbox: Outbox): readonly Handler[] {
  return [
    on(userSignedUp, async ({ subject, displayName }, { transaction }) => {
      await transaction.query(
        "INSERT INTO people (subject, display_name) VALUES ($1, $2) ON CONFLICT (subject) DO UPDATE SET display_name = $2",
        [subject, displayName],
      );
      await addMember(transaction, LOBBY, subject);
      await postSystem(transaction, outbox, LOBBY, `${displayName} has joined the platform.`);
    }),
    on(videoPublished, async ({ title }, { transaction }) => {
      await postSystem(transaction, outbox, LOBBY, `New video: ${title}`);
    }),
  ];
}
