import type { KeySetBody } from "../model/jwks.ts";
import type { LocatedResource } from "../model/resource.ts";
import { FollowedKeySet, type FollowOptions } from "./followed-key-set.ts";

export interface KeySetSourceOptions extends FollowOptions {
  /** Called with all known sets when one of them changed. */
  readonly onChange: (keySets: readonly LocatedResource<KeySetBody>[]) => void;
}

export interface KeySetSource {
  /** The uris that policies name now; what is no longer named is forgotten. */
  setUris(uris: Iterable<string>): void;
  /** Resolves when the last good keys of every uri that is named now have been given on; nothing has to be fetched for that. */
  recalled(): Promise<void>;
  close(): void;
}

/** Fetches the keys behind every `jwksUri` and gives them on as resources, so that translation stays free of the network. */
export function startKeySetSource(options: KeySetSourceOptions): KeySetSource {
  const followed = new Map<string, FollowedKeySet>();
  const publish = () => options.onChange([...followed.values()].flatMap(({ resource }) => resource ?? []));
  return {
    setUris(uris) {
      const wanted = new Set(uris);
      for (const [uri, keySet] of [...followed]) {
        if (wanted.has(uri)) continue;
        keySet.close();
        followed.delete(uri);
      }
      for (const uri of wanted) {
        if (!followed.has(uri)) followed.set(uri, new FollowedKeySet(uri, options, publish));
      }
    },
    recalled: async () => void (await Promise.all([...followed.values()].map(({ recalled }) => recalled))),
    close() {
      for (const keySet of followed.values()) keySet.close();
      followed.clear();
    },
  };
}
