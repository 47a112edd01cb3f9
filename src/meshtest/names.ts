import { didYouMean } from "../base/did-you-mean.ts";
import type { WorkloadRef } from "../evaluate/index.ts";
import type { JsonPath } from "../model/position.ts";
import type { Call, MeshTest } from "./document.ts";
import { type FileError, fileError } from "./file-error.ts";

const EXTERNAL = "external:";

/** Finds workloads by the name that a test writes: `namespace/name`, a name that is unique, or one of the test's own namespace. */
export class WorkloadNames {
  readonly #refs: ReadonlyMap<string, WorkloadRef>;
  readonly #byName = new Map<string, WorkloadRef[]>();
  readonly #namespace: string;

  constructor(workloads: readonly WorkloadRef[], namespace: string) {
    this.#refs = new Map(workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload]));
    for (const workload of workloads) {
      const list = this.#byName.get(workload.name);
      if (list === undefined) this.#byName.set(workload.name, [workload]);
      else list.push(workload);
    }
    this.#namespace = namespace;
  }

  find(name: string): WorkloadRef | undefined {
    if (name.includes("/")) return this.#refs.get(name);
    const [first, second] = this.#byName.get(name) ?? [];
    return second === undefined ? first : this.#refs.get(`${this.#namespace}/${name}`);
  }

  /** What is wrong with a name; undefined where it names one workload. */
  problem(name: string): { readonly message: string; readonly help: string } | undefined {
    if (this.find(name) !== undefined) return undefined;
    const same = this.#byName.get(name) ?? [];
    if (same.length > 1) {
      const full = same.map((workload) => `${workload.namespace}/${workload.name}`);
      return { message: `there are several workloads ${JSON.stringify(name)}`, help: `write ${full.join(" or ")}` };
    }
    const meant = didYouMean(name, name.includes("/") ? this.#refs.keys() : this.#byName.keys());
    const help = meant === undefined ? "declare it under spec.workloads, or as a Deployment or Pod" : `did you mean ${meant}?`;
    return { message: `unknown workload ${JSON.stringify(name)}`, help };
  }
}

/** What a test writes for an answer from outside the mesh; undefined for a workload's name. */
export function externalHost(name: string): string | undefined {
  return name.startsWith(EXTERNAL) ? name.slice(EXTERNAL.length) : undefined;
}

/** Every workload that the calls name must exist. */
export function checkNames(test: MeshTest, names: WorkloadNames): readonly FileError[] {
  return test.calls.flatMap((call) =>
    namesIn(call).flatMap(({ name, path }) => {
      const problem = externalHost(name) === undefined || path[0] === "from" ? names.problem(name) : undefined;
      return problem === undefined ? [] : [fileError(call.locate(path), `${problem.message} in ${path.join(".")}`, problem.help)];
    }),
  );
}

function namesIn({ from, expect }: Call): readonly { readonly name: string; readonly path: JsonPath }[] {
  const { to, mirroredTo, via } = expect;
  const targets =
    to === undefined
      ? []
      : typeof to === "string"
        ? [{ name: to, path: ["expect", "to"] }]
        : to.map(([name]) => ({ name, path: ["expect", "to", name] }));
  return [
    { name: from.workload, path: ["from", from.kind] },
    ...targets,
    ...(typeof mirroredTo === "string" ? [{ name: mirroredTo, path: ["expect", "mirroredTo"] }] : []),
    ...(typeof via === "string" ? [{ name: via, path: ["expect", "via"] }] : []),
  ];
}
