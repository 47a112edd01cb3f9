import type { Diagnostic } from "../../model/diagnostic.ts";
import { formatRef, refOf, type LocatedResource } from "../../model/resource.ts";
import type { Snapshot } from "../../translate/index.ts";
import { begin } from "../begin.ts";
import type { Call, ExpectedDiagnostic } from "../document.ts";
import { follow } from "../evaluator-engine.ts";
import { isExpected } from "../expected-diagnostic.ts";
import { inProfile } from "../in-profile.ts";
import { judge } from "../judge.ts";
import type { LoadedTest } from "../load.ts";
import { WorkloadNames } from "../names.ts";
import { TestMesh } from "../test-mesh.ts";
import type { Mutant } from "./mutant.ts";
import { answersAlike, type Asked, isAlike, ObservedView } from "./observed-view.ts";
import type { RememberedTokens } from "./remembered-tokens.ts";

export interface SubjectOptions {
  readonly issuers: RememberedTokens;
  readonly nowMs: number;
  readonly isChosen: (call: Call) => boolean;
}

/** A call that passes in the mesh as it is, and all that its verdict hangs on. */
interface PassingCall {
  readonly call: Call;
  readonly begun: ReturnType<typeof begin>;
  readonly asked: readonly Asked[];
  /** The resources along its way. */
  readonly shapedBy: ReadonlySet<string>;
}

export type Notice = "noticed" | "unnoticed" | "undecided";

/** One test with the calls that pass in its mesh; it says whether they notice a mutant. */
export class Subject {
  readonly #loaded: LoadedTest;
  readonly #options: SubjectOptions;
  readonly #mesh: TestMesh;
  readonly #names: WorkloadNames;
  readonly #calls: readonly PassingCall[];
  readonly #expected: readonly ExpectedDiagnostic[];

  constructor(loaded: LoadedTest, options: SubjectOptions) {
    this.#loaded = loaded;
    this.#options = options;
    this.#mesh = new TestMesh(loaded, options.issuers);
    this.#names = new WorkloadNames(this.#mesh.workloads, loaded.test.namespace);
    this.#calls = loaded.test.calls.filter(options.isChosen).flatMap((call) => this.#passing(call));
    const isWhole = loaded.test.calls.every(options.isChosen);
    const wanted = isWhole ? loaded.test.expectDiagnostics : [];
    this.#expected = wanted.length === 0 ? [] : said(wanted, loaded.diagnostics, this.#mesh);
  }

  /** How many calls and expected diagnostics can notice something. */
  get passing(): number {
    return this.#calls.length + this.#expected.length;
  }

  get resources(): readonly LocatedResource[] {
    return this.#loaded.resources;
  }

  /** The test's mesh with the mutant in place of one of its resources. */
  meshWith(own: LocatedResource, { resource }: Mutant): TestMesh {
    const resources = this.#loaded.resources.flatMap((other) => (other === own ? (resource ?? []) : other));
    // A gateway stays one when its Gateway goes.
    return new TestMesh({ ...this.#loaded, resources }, this.#options.issuers, { like: this.#mesh });
  }

  /** Whether a call, or an expected diagnostic, that passes without the mutant fails in the mesh with it. */
  judge(own: LocatedResource, mutant: Mutant, mesh: TestMesh): Notice {
    const ref = formatRef(refOf(own));
    let notice: Notice = "unnoticed";
    for (const { call, begun, asked } of this.#likelyFirst(ref)) {
      const now = this.#begin(call, mesh);
      if (isAlike(begun, now) && answersAlike(mesh, asked)) continue;
      const { verdict } = judge(call, inProfile(follow(now, this.#observe(mesh)), this.#loaded.test.profile), this.#names);
      if (verdict === "fail") return "noticed";
      if (verdict === "skip") notice = "undecided";
    }
    if (this.#expected.length === 0) return notice;
    const others = this.#loaded.diagnostics.filter(({ resource }) => resource === undefined || formatRef(resource) !== ref);
    return said(this.#expected, [...others, ...mutant.diagnostics], mesh).length < this.#expected.length ? "noticed" : notice;
  }

  /** Whether every proxy is sent the same bytes as without the mutant. */
  isEquivalent(mesh: TestMesh): boolean {
    return this.#mesh.workloads.every((workload) => {
      const [before, after] = [this.#mesh.proxyOf(workload)?.snapshot, mesh.proxyOf(workload)?.snapshot];
      return before === after || (before !== undefined && after !== undefined && areSameBytes(before, after));
    });
  }

  /** Calls that a resource had a say in come first: one of them notices, if any does. */
  #likelyFirst(ref: string): readonly PassingCall[] {
    const [likely, others] = [[], []] as [PassingCall[], PassingCall[]];
    for (const call of this.#calls) (call.shapedBy.has(ref) ? likely : others).push(call);
    return [...likely, ...others];
  }

  #passing(call: Call): readonly PassingCall[] {
    const view = this.#observe(this.#mesh);
    const begun = this.#begin(call, this.#mesh);
    const decision = follow(begun, view);
    if (judge(call, inProfile(decision, this.#loaded.test.profile), this.#names).verdict !== "pass") return [];
    const origins = decision.outcomes.flatMap(({ outcome }) => outcome.steps.flatMap((step) => step.origins));
    return [{ call, begun, asked: view.asked(), shapedBy: new Set(origins.map(({ ref }) => formatRef(ref))) }];
  }

  #observe(mesh: TestMesh): ObservedView {
    return new ObservedView(mesh, (jwks, token) => this.#options.issuers.verify(jwks, token));
  }

  #begin(call: Call, mesh: TestMesh): PassingCall["begun"] {
    return begin(call, { mesh, names: this.#names }, this.#options);
  }
}

/** Those of the expected diagnostics that a mesh says. */
function said(expected: readonly ExpectedDiagnostic[], ofDocuments: readonly Diagnostic[], mesh: TestMesh): readonly ExpectedDiagnostic[] {
  mesh.translateAll();
  const all = [...ofDocuments, ...mesh.diagnostics()];
  return expected.filter((wanted) => all.some((diagnostic) => isExpected(diagnostic, wanted)));
}

function areSameBytes(one: Snapshot, other: Snapshot): boolean {
  const [before, after] = [bytesOf(one), bytesOf(other)];
  return before.size === after.size && [...before].every(([key, bytes]) => areEqual(bytes, after.get(key)));
}

function bytesOf(snapshot: Snapshot): ReadonlyMap<string, Uint8Array> {
  return new Map([...snapshot].flatMap(([type, byName]) => [...byName].map(([name, { bytes }]) => [`${type}/${name}`, bytes] as const)));
}

function areEqual(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && one.length === other.length && one.every((byte, i) => byte === other[i]);
}
