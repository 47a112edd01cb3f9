import { fileURLToPath } from "node:url";
import { type HttpAnswer, http } from "./http.ts";
import { type RunningMesh, startMesh } from "./mesh.ts";

/** What one call of a workload came to: the answer, or the error code of its connection. */
export type CallAnswer =
  | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string; readonly error?: undefined }
  | { readonly error: string; readonly status?: undefined };

export interface Echo {
  readonly workload: string;
  readonly version: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The mesh of `test/e2e/fixture`, and how to make its workloads call. */
export interface Shop {
  readonly mesh: RunningMesh;
  /** A request through the gateway. */
  enter(host: string, path: string, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
  /** A request that `caller` (or `intruder`) makes through its own sidecar. */
  call(
    url: string,
    options?: { readonly from?: "caller" | "intruder"; readonly headers?: Readonly<Record<string, string>>; readonly method?: string },
  ): Promise<CallAnswer>;
  /** A TCP connection that the workload opens. */
  dial(host: string, port: number, from?: "caller" | "intruder"): Promise<{ readonly end: string; readonly received: string }>;
}

export async function startShop(options: { readonly args?: readonly string[] } = {}): Promise<Shop> {
  return shopOn(await startMesh(fileURLToPath(new URL("../fixture", import.meta.url)), options));
}

/** The shop of a mesh that runs already. */
export function shopOn(mesh: RunningMesh): Shop {
  const port = mesh.ports[0] ?? 0;
  const enter: Shop["enter"] = (host, path, headers = {}) => http(`http://${host}${path}`, { port, headers });
  return {
    mesh,
    enter,
    async call(url, { from = "caller", headers = {}, method = "GET" } = {}) {
      const body = JSON.stringify({ url, method, headers });
      const answer = await http(`http://${from}.shop.test/call`, {
        port,
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      });
      if (answer.status !== 200) throw new Error(`${from} was not reached: ${answer.status} ${answer.body}`);
      return JSON.parse(answer.body) as CallAnswer;
    },
    async dial(host, targetPort, from = "caller") {
      const answer = await enter(`${from}.shop.test`, `/dial?host=${host}&port=${targetPort}`);
      if (answer.status !== 200) throw new Error(`${from} was not reached: ${answer.status} ${answer.body}`);
      return JSON.parse(answer.body) as { end: string; received: string };
    },
  };
}

export function echoOf(body: string): Echo {
  return JSON.parse(body) as Echo;
}
