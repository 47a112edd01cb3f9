import type { ApplicationAnswer, ApplicationRequest, MeshView, Target, WorkloadRef } from "../../evaluate/index.ts";

/** One question that an evaluation asked of its view of the mesh, and how to ask another view the same. */
export interface Asked {
  readonly ask: (view: MeshView) => unknown;
  readonly answer: unknown;
}

/**
 * A view that remembers what was asked of it. An evaluation knows nothing of the mesh but these answers: where another view answers each of them
 * alike, the decision would be the same.
 */
export class ObservedView implements MeshView {
  readonly #view: MeshView;
  readonly #verify: MeshView["verifyToken"];
  readonly #asked = new Map<string, Asked>();

  /** `verify` answers in place of the view's own. */
  constructor(view: MeshView, verify: MeshView["verifyToken"]) {
    this.#view = view;
    this.#verify = verify;
  }

  asked(): readonly Asked[] {
    return [...this.#asked.values()];
  }

  proxyOf(workload: WorkloadRef): ReturnType<MeshView["proxyOf"]> {
    const key = `proxyOf ${workload.namespace}/${workload.name}`;
    return this.#note(key, this.#view.proxyOf(workload), (view) => view.proxyOf(workload));
  }

  workloadAt(address: string, port: number): WorkloadRef | undefined {
    return this.#note(`workloadAt ${address} ${port}`, this.#view.workloadAt(address, port), (view) => view.workloadAt(address, port));
  }

  externalAt(address: string, port: number): string | undefined {
    return this.#note(`externalAt ${address} ${port}`, this.#view.externalAt(address, port), (view) => view.externalAt(address, port));
  }

  /** The same in every mesh: both texts are in the question. */
  verifyToken(jwks: string, token: string): "ok" | "bad-signature" {
    return this.#verify(jwks, token);
  }

  /** The same in every mesh. */
  answerOf(request: ApplicationRequest): ApplicationAnswer {
    return this.#view.answerOf?.(request) ?? { status: 200 };
  }

  listensOn(target: Target, port: number): boolean {
    const key = `listensOn ${JSON.stringify(target)} ${port}`;
    return this.#note(key, this.#view.listensOn?.(target, port) ?? true, (view) => view.listensOn?.(target, port) ?? true);
  }

  speaksFirst(target: Target, port: number): boolean {
    const key = `speaksFirst ${JSON.stringify(target)} ${port}`;
    return this.#note(key, this.#view.speaksFirst?.(target, port) ?? false, (view) => view.speaksFirst?.(target, port) ?? false);
  }

  tlsOf(target: Target, port: number): ReturnType<NonNullable<MeshView["tlsOf"]>> {
    const key = `tlsOf ${JSON.stringify(target)} ${port}`;
    return this.#note(key, this.#view.tlsOf?.(target, port), (view) => view.tlsOf?.(target, port));
  }

  #note<Answer>(key: string, answer: Answer, ask: (view: MeshView) => Answer): Answer {
    if (!this.#asked.has(key)) this.#asked.set(key, { ask, answer });
    return answer;
  }
}

/** Whether a view answers all of it as the one before did. A snapshot that was made anew counts as another. */
export function answersAlike(view: MeshView, asked: readonly Asked[]): boolean {
  return asked.every(({ ask, answer }) => isAlike(answer, ask(view)));
}

/** Deep equality of plain values; other objects are alike where they are the same. */
export function isAlike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (one instanceof Map || other instanceof Map) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isAlike(one[key as keyof typeof one], other[key as keyof typeof other]))
  );
}
