import type { Origin } from "../model/origin.ts";
import type { Sealed } from "../model/sealed.ts";

/** A user's Secret as SDS carries it to the gateways that name it. Nothing but the serving edge unseals it. */
export interface TlsSecret {
  readonly name: string;
  readonly certificate?: { readonly chainPem: string; readonly key: Sealed<string> };
  readonly trustPem?: string;
  readonly origin: readonly Origin[];
}
