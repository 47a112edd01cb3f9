import * as z from "zod";
import { defineEvent } from "./event.ts";

const subject = z.string().min(1).max(255);
const displayName = z.string().min(1).max(200);

/** user-service: somebody has a profile now. */
export const userSignedUp = defineEvent("user.signed-up.v1", { userId: z.uuid(), subject, displayName }, (data) => data.subject);

/** video-service: a video can be seen by everyone now. */
export const videoPublished = defineEvent(
  "video.published.v1",
  { videoId: z.uuid(), owner: subject, title: z.string().max(200), publishedAt: z.iso.datetime() },
  (data) => data.videoId,
);

/** chat-service: a room has one message more. `seq` counts the room's messages from 1, without a gap. */
export const messagePosted = defineEvent(
  "chat.message-posted.v1",
  {
    roomId: z.uuid(),
    seq: z.number().int().min(1),
    id: z.uuid(),
    kind: z.enum(["user", "system"]),
    author: subject.nullable(),
    authorName: displayName.nullable(),
    text: z.string().max(4_000),
    createdAt: z.iso.datetime(),
  },
  (data) => data.roomId,
);

/** chat-service: somebody came to a room or left it. Who is there now is asked of the service: this only says that it changed. */
export const presenceChanged = defineEvent("chat.presence-changed.v1", { roomId: z.uuid() }, (data) => data.roomId);

/** All kinds, for whoever sets up a broker. */
export const eventKinds = [userSignedUp, videoPublished, messagePosted, presenceChanged] as const;
