import { MeshError } from "../../../model/error.ts";
import type { Proxy } from "../../../model/proxy.ts";
import type { Snapshot } from "../../../translate/envoy/resource.ts";
import type { ProxyStatus, XdsEvent } from "../../../xds/index.ts";

const MAX_REASON = 300;

/** What Envoys refused, and why; whether it still matters is another question: an answer may come when something else is to be sent. */
export class Refusals {
  readonly #reasons = new Map<string, string>();

  note({ proxy, type, resources, message }: Extract<XdsEvent, { readonly kind: "nack" }>): void {
    for (const { name, version } of resources) this.#reasons.set(keyOf(proxy, type, name, version), message);
  }

  /** Of the resources that a proxy is to have now, one that it refuses. A Secret that it can't use keeps closed what names it, and nothing else. */
  find({ proxy, types }: ProxyStatus, wanted: Snapshot | undefined): MeshError | undefined {
    for (const { type, refused } of types) {
      if (type === "secret") continue;
      const found = refused.find(({ name, version }) => wanted?.get(type)?.get(name)?.version === version);
      if (found === undefined) continue;
      const reason = this.#reasons.get(keyOf(proxy, type, found.name, found.version)) ?? "it doesn't say why";
      return new MeshError(
        "protocol",
        `the Envoy of ${proxy.namespace}/${proxy.name} refused the ${type} ${found.name}: ${shorten(reason)}`,
      );
    }
    return undefined;
  }
}

function keyOf({ namespace, name: proxy }: Proxy, type: string, name: string, version: string): string {
  return [namespace, proxy, type, name, version].join("\0");
}

/** Envoy puts the whole message before the reason. */
function shorten(message: string): string {
  return message.length <= MAX_REASON ? message : `...${message.slice(-MAX_REASON)}`;
}
