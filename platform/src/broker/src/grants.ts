import { messagePosted, presenceChanged, userSignedUp, videoPublished } from "@platform/events";
import type { ServiceGrants } from "@platform/events/nats";

/** Who publishes and reads what. A service that asks for more is refused by the server. */
export const grants: readonly ServiceGrants[] = [
  { name: "user-service", publishes: [userSignedUp.type], handles: [], listens: [] },
  { name: "video-service", publishes: [videoPublished.type], handles: [], listens: [] },
  {
    name: "chat-service",
    publishes: [messagePosted.type, presenceChanged.type],
    handles: [userSignedUp.type, videoPublished.type],
    listens: [messagePosted.type, presenceChanged.type],
  },
];
