import { randomUUID } from "node:crypto";
import * as z from "zod";

/** An event on the wire: a CloudEvent 1.0 in structured JSON. `subject` is its key: events of one key stay in order. */
const Envelope = z.object({
  specversion: z.literal("1.0"),
  id: z.uuid(),
  source: z.string().min(1).max(200),
  type: z.string().regex(/^[a-z-]+(\.[a-z0-9-]+)+$/),
  subject: z.string().min(1).max(255),
  time: z.iso.datetime(),
  datacontenttype: z.literal("application/json"),
  /** W3C trace context (CloudEvents' distributed tracing extension). */
  traceparent: z.string().max(100).optional(),
  data: z.unknown(),
});

export type Envelope = z.output<typeof Envelope>;

/** What happened, before the outbox gives it id, source and time. */
export interface NewEvent {
  readonly type: string;
  readonly key: string;
  readonly data: unknown;
}

/** One kind of event: its type's name, and the shape of what it says. */
export interface EventKind<Data> {
  readonly type: string;
  /** @throws where the data has not the kind's shape: a mistake in the code. */
  of(data: Data): NewEvent;
  /** @throws where another side wrote data that has not the kind's shape. */
  read(data: unknown): Data;
}

/** Larger events are refused: an event says what happened, it carries no files. Every broker that we speak to takes this much. */
export const MAX_EVENT_BYTES = 64 * 1024;

/** Declares a kind of event. `keyOf` names what it is about: a room, a user, a video. */
export function defineEvent<Shape extends z.ZodRawShape>(
  type: string,
  shape: Shape,
  keyOf: (data: z.output<z.ZodObject<Shape>>) => string,
): EventKind<z.output<z.ZodObject<Shape>>> {
  // Unknown fields are dropped when reading, so that a newer writer may add some.
  const schema = z.object(shape);
  return {
    type,
    of(data) {
      const checked = schema.parse(data);
      return { type, key: keyOf(checked), data: checked };
    },
    read: (data) => schema.parse(data),
  };
}

/** Gives an event its id, source and time. */
export function toEnvelope(event: NewEvent, source: string, traceparent?: string): Envelope {
  return {
    specversion: "1.0",
    id: randomUUID(),
    source: `/${source}`,
    type: event.type,
    subject: event.key,
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    ...(traceparent !== undefined && { traceparent }),
    data: event.data,
  };
}

/** @throws where the text is no event of ours. */
export function readEnvelope(text: string): Envelope {
  return Envelope.parse(JSON.parse(text));
}
