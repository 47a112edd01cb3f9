import type { PodBody } from "../schema/bodies.ts";
import { isPodReady } from "../schema/pod-ready.ts";
import { ask } from "./admin-client.ts";

interface Listed {
  readonly items?: readonly PodBody[];
}

interface Status {
  readonly proxies?: readonly { readonly config: { readonly kind: string } }[];
}

const SETTLED: ReadonlySet<string> = new Set(["acknowledged", "refused", "none"]);

const ASK_AGAIN_MS = 30;

/** Resolves when the control plane knows as many ready Pods and every proxy has acknowledged what follows from them, or when the time is up. */
export async function meshSettled(
  adminSocket: string,
  { pods, timeoutMs, signal }: { readonly pods: number; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && !signal.aborted) {
    const listed = (await ask(adminSocket, "/api/v1/pods")).body as Listed;
    const ready = (listed.items ?? []).filter(isPodReady);
    if (ready.length >= pods) {
      const { proxies = [] } = (await ask(adminSocket, "/kumiko/v1/status")).body as Status;
      if (proxies.every(({ config }) => SETTLED.has(config.kind))) return;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}
