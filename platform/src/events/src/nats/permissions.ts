import { inboxPrefixOf } from "./link.ts";
import { STREAM, subjectOf } from "./names.ts";

/** What a service may do: the types that it publishes, those that it handles as a group, and those that it listens to. */
export interface ServiceGrants {
  readonly name: string;
  readonly publishes: readonly string[];
  readonly handles: readonly string[];
  readonly listens: readonly string[];
}

/** The subjects for a user of the server's configuration: its own events, its own consumer, its own inbox, and nothing else. */
export function permissionsOf({ name, publishes, handles, listens }: ServiceGrants): {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
} {
  const consumer = `${STREAM}.${name}`;
  const own = [`$JS.API.CONSUMER.INFO.${consumer}`, `$JS.API.CONSUMER.MSG.NEXT.${consumer}`, `$JS.ACK.${consumer}.>`];
  return {
    publish: [...publishes.map(subjectOf), ...(handles.length > 0 ? own : [])],
    subscribe: [`${inboxPrefixOf(name)}.>`, ...listens.map(subjectOf)],
  };
}
