import type { Store, StoreKey } from "../store/store.ts";

/** A key set as it was last fetched. */
export interface KeptKeys {
  readonly jwks: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

/** Key sets by uri, kept where they outlive the process: a control plane that starts while a provider is away must not refuse its tokens. */
export interface LastGoodKeys {
  read(uri: string): Promise<KeptKeys | undefined>;
  write(uri: string, keys: KeptKeys): Promise<void>;
}

const KIND = "LastGoodKeySet";

export function lastGoodKeysInStore(store: Store): LastGoodKeys {
  return {
    read: async (uri) => {
      const value = (await store.get(keyOf(uri)))?.value;
      return isKept(value) ? value : undefined;
    },
    write: async (uri, keys) => void (await store.put(keyOf(uri), keys)),
  };
}

function keyOf(uri: string): StoreKey {
  return { kind: KIND, namespace: "", name: uri };
}

function isKept(value: unknown): value is KeptKeys {
  if (typeof value !== "object" || value === null) return false;
  const { jwks, fetchedAt } = value as Record<string, unknown>;
  return typeof jwks === "string" && typeof fetchedAt === "number";
}
