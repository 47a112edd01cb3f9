import type { Document, FuzzCase } from "./document.ts";

/** Whether a smaller case still shows what is looked for. */
export type Shows = (smaller: FuzzCase) => Promise<boolean>;

/** A smaller case that still shows it: documents, then fields, then parts of the calls are left out one at a time, as long as it helps and the time lasts. */
export async function shrink(found: FuzzCase, shows: Shows, untilMs: number): Promise<FuzzCase> {
  let smallest = found;
  for (let hasShrunk = true; hasShrunk; ) {
    hasShrunk = false;
    for (let at = 0; ; ) {
      const candidate = smaller(smallest)[at];
      if (candidate === undefined) break;
      if (performance.now() >= untilMs) return smallest;
      if (await shows(candidate)) {
        // The rest moves up: what comes next now stands at the same place.
        smallest = candidate;
        hasShrunk = true;
      } else at++;
    }
  }
  return smallest;
}

/** Every case that is one step smaller, the largest steps first. */
function smaller(given: FuzzCase): readonly FuzzCase[] {
  const { documents, calls } = given;
  const withDocuments = (next: readonly Document[]): FuzzCase => ({ ...given, documents: next });
  const fewer = documents.map((_, i) => withDocuments(documents.toSpliced(i, 1)));
  const thinner = documents.flatMap((document, i) =>
    without(document.spec).map((spec) => withDocuments(documents.with(i, { ...document, spec }))),
  );
  const shorter = calls.flatMap((call, i) =>
    without(call)
      .filter(isCall)
      .map((next): FuzzCase => ({ ...given, calls: calls.with(i, next) })),
  );
  return [...fewer, ...thinner, ...shorter];
}

function isCall(value: unknown): value is FuzzCase["calls"][number] {
  const { from, request } = value as Partial<FuzzCase["calls"][number]>;
  return request?.url !== undefined && ["workload", "gateway", "outside"].some((kind) => from?.[kind] !== undefined);
}

/** The value without one of its parts, at any depth, the outer ones first. */
function without(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return [...items.map((_, i) => items.toSpliced(i, 1)), ...items.flatMap((item, i) => without(item).map((next) => items.with(i, next)))];
  }
  if (typeof value !== "object" || value === null) return [];
  const fields = Object.entries(value);
  const fewer = fields.map(([name]) => Object.fromEntries(fields.filter(([other]) => other !== name)));
  return [...fewer, ...fields.flatMap(([name, part]) => without(part).map((next) => ({ ...value, [name]: next })))];
}
