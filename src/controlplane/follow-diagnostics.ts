import type { Diagnostic } from "../model/diagnostic.ts";
import { ask } from "./admin-client.ts";
import type { FaultTeller } from "./fault-teller.ts";

const PERIOD_MS = 1000;

/**
 * Shows a teller the problems that the control plane knows (an edited file, a refused configuration), again and again. Notes are left to
 * `kumiko status`. Returns how to end it.
 */
export function followDiagnostics(adminSocket: string, teller: FaultTeller): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;
  const look = async () => {
    const { items } = (await ask(adminSocket, "/kumiko/v1/diagnostics")).body as { readonly items?: readonly Diagnostic[] };
    if (items !== undefined && !isEnded) teller.see(items.filter(({ severity }) => severity !== "info"));
  };
  const again = () => {
    if (!isEnded)
      timer = setTimeout(
        () =>
          void look()
            .catch(() => undefined)
            .then(again),
        PERIOD_MS,
      );
  };
  void look()
    .catch(() => undefined)
    .then(again);
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}
