import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type HttpAnswer, http, type HttpCall } from "./http.ts";
import type { Platform } from "./platform.ts";

const MODULE = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so";

/**
 * Why tests of the firewall can't run here; undefined where they can.
 * @throws in CI, where all of them must.
 */
export function whyNoFirewall(): string | undefined {
  if (["/usr/sbin/nginx", MODULE, "/usr/share/modsecurity-crs/rules"].every((path) => existsSync(path))) return undefined;
  const reason = "no firewall here: apt-get install nginx libnginx-mod-http-modsecurity modsecurity-crs";
  if (process.env["CI"] !== undefined) throw new Error(reason);
  return reason;
}

export type EdgeCall = Omit<HttpCall, "port" | "ca"> & { readonly token?: string; readonly json?: unknown };

/** The platform's load balancer, as a client outside finds it. */
export interface Edge {
  readonly port: number;
  readonly httpPort: number;
  readonly ca: string;
  api(url: string, call?: EdgeCall): Promise<HttpAnswer>;
}

export function edgeOf(platform: Platform): Edge {
  const port = Number(platform.env["PLATFORM_EDGE_PORT"]);
  const ca = readFileSync(join(platform.dir, ".kumiko/platform/ca/root.pem"), "utf8");
  return {
    port,
    httpPort: Number(platform.env["PLATFORM_EDGE_HTTP_PORT"]),
    ca,
    api(url, { token, json, headers, ...call } = {}) {
      const given = json === undefined ? {} : { method: "POST", body: JSON.stringify(json) };
      const own = {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json !== undefined && { "content-type": "application/json" }),
      };
      return http(url, { port, ca, ...given, ...call, headers: { ...own, ...headers } });
    },
  };
}
