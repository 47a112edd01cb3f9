import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "../../../model/error.ts";
import { checkSystem } from "../../../runtime/system-check.ts";
import type { Lab, LabMesh, RunningMesh } from "../lab.ts";
import { checkMachine } from "./check-machine.ts";
import { Identities } from "./identities.ts";
import { LabProcess } from "./lab-process.ts";
import { makeRunFolder, removeRunFolder } from "./run-folder.ts";
import { LabRunningMesh } from "./running-mesh.ts";

export interface LabOptions {
  /** An Envoy that runs here, as `findEnvoy` gives it. */
  readonly envoyPath: string;
  /** How this program starts itself. */
  readonly selfCommand: readonly string[];
  /** Short folder of the user for sockets: XDG_RUNTIME_DIR or /tmp. */
  readonly runtimeDir: string;
  /** Meshes that start at a time; the others wait for their turn. */
  readonly startsAtOnce?: number;
}

const STARTS_AT_ONCE = 4;

/** Makes a lab; its namespaces come with the first mesh. @throws MeshError where this machine can have none, with what to do. */
export function createLab(options: LabOptions): Lab {
  checkMachine(checkSystem());
  return new NamespaceLab(options);
}

class NamespaceLab implements Lab {
  readonly #options: LabOptions;
  readonly #runDir: string;
  readonly #identities: Identities;
  readonly #open = new Set<LabRunningMesh>();
  readonly #turns: (() => void)[] = [];
  #free: number;
  #process: LabProcess | undefined;
  #count = 0;
  #isClosed = false;

  constructor(options: LabOptions) {
    this.#options = options;
    this.#free = options.startsAtOnce ?? STARTS_AT_ONCE;
    this.#runDir = makeRunFolder(options.runtimeDir);
    this.#identities = new Identities(this.#runDir);
  }

  async open(mesh: LabMesh): Promise<RunningMesh> {
    await this.#turn();
    try {
      if (this.#isClosed) throw new MeshError("io", "the lab is closed");
      const number = ++this.#count;
      const runDir = join(this.#runDir, `m${number}`);
      mkdirSync(runDir, { mode: 0o700 });
      this.#process ??= this.#start();
      const place = { number, runDir, process: this.#process, identities: this.#identities };
      const running = new LabRunningMesh(mesh, place, () => this.#open.delete(running));
      this.#open.add(running);
      await running.open();
      return running;
    } finally {
      this.#free++;
      this.#turns.shift()?.();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#process?.close();
    await Promise.all([...this.#open].map((mesh) => mesh.close()));
    removeRunFolder(this.#runDir);
  }

  #start(): LabProcess {
    const { envoyPath, selfCommand } = this.#options;
    const runDir = this.#runDir;
    const compileCacheDir = process.env["NODE_COMPILE_CACHE"] ?? join(runDir, "compiled");
    return new LabProcess([...selfCommand, "test-lab", "machine"], { envoyPath, runDir, selfCommand, compileCacheDir });
  }

  async #turn(): Promise<void> {
    while (this.#free === 0) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#free--;
  }
}
