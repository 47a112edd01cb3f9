import type { Readable, Writable } from "node:stream";
import { ChildMesh } from "./child-mesh.ts";
import { onLines } from "./lines.ts";
import { removeRunFolder } from "./run-folder.ts";
import type { LabOrder, LabReport } from "./protocol.ts";

/** What a lab hands to its child: the first line on its standard input. */
export interface LabChildSettings {
  readonly envoyPath: string;
  /** How this program starts itself. */
  readonly selfCommand: readonly string[];
  /** Where the programs keep what they compiled: many of one kind start. */
  readonly compileCacheDir: string;
  /** Removed at the end, however the parent ended. */
  readonly runDir: string;
}

/**
 * The first process of a lab's namespaces: makes networks and starts programs in them, as told line by line. When its input ends, so does
 * everything: it is the init of its PID namespace.
 */
export async function runLabChild(input: Readable, output: Writable, exit: (code: number) => void): Promise<void> {
  output.on("error", () => {});
  const meshes = new Map<number, ChildMesh>();
  let settings: LabChildSettings | undefined;
  onLines(input, (line) => {
    if (settings === undefined) settings = JSON.parse(line) as LabChildSettings;
    else void follow(JSON.parse(line) as LabOrder, settings);
  });
  input.once("close", () => {
    if (settings !== undefined) removeRunFolder(settings.runDir);
    exit(0);
  });

  const say = (report: LabReport) => void output.write(`${JSON.stringify(report)}\n`);
  const follow = async (order: LabOrder, given: LabChildSettings) => {
    if (order.kind === "open") {
      try {
        const mesh = new ChildMesh(order.mesh, given, (text) => void output.write(text));
        meshes.set(order.mesh, mesh);
        await mesh.open(order.plan);
        say({ kind: "opened", mesh: order.mesh });
      } catch (thrown) {
        say({ kind: "failed", mesh: order.mesh, message: thrown instanceof Error ? thrown.message : String(thrown) });
      }
    } else if (order.kind === "start") {
      meshes.get(order.mesh)?.startProxies();
    } else if (order.kind === "tell") {
      meshes.get(order.mesh)?.tell(order.program, order.line);
    } else {
      await meshes.get(order.mesh)?.close();
      meshes.delete(order.mesh);
      say({ kind: "closed", mesh: order.mesh });
    }
  };
}
