/** The stream that holds all events, and the subjects that it takes. A type is the rest of its subject. */
export const STREAM = "PLATFORM";
export const SUBJECT_PREFIX = "platform.events.";

export function subjectOf(type: string): string {
  return SUBJECT_PREFIX + type;
}

export function typeOf(subject: string): string {
  return subject.slice(SUBJECT_PREFIX.length);
}

/** Carries a message's key beside its body. */
export const KEY_HEADER = "Event-Key";

/** A message that comes again within this time after it was stored is stored once. */
export const DUPLICATE_WINDOW_MS = 120_000;
