import { type Diagnostic, formatDiagnostic } from "../model/diagnostic.ts";
import { ask } from "./admin-client.ts";

const PERIOD_MS = 1000;

/**
 * Tells of each problem when it appears (an edited file, a refused configuration), once; what is gone and comes back is told again. Notes are
 * left to `kumiko status`. Returns how to end it.
 */
export function followDiagnostics(adminSocket: string, tell: (line: string) => void): () => void {
  let told = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;
  const look = async () => {
    const { items = [] } = (await ask(adminSocket, "/kumiko/v1/diagnostics")).body as { readonly items?: readonly Diagnostic[] };
    const lines = new Set(items.filter(({ severity }) => severity !== "info").map(formatDiagnostic));
    for (const line of lines) if (!told.has(line) && !isEnded) tell(line);
    told = lines;
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
