/** What the platform said it has taken: it must be there afterwards, once. */
export interface Acknowledged {
  readonly messages: { readonly room: string; readonly text: string }[];
  readonly uploads: { readonly id: string; readonly token: string; readonly sha256: string }[];
  /** Titles of the videos that were published. */
  readonly published: string[];
  readonly signUps: { readonly displayName: string; readonly token: string }[];
}

export function createAcknowledged(): Acknowledged {
  return { messages: [], uploads: [], published: [], signUps: [] };
}
