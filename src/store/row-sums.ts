import { hash } from "node:crypto";

/** What is kept of an entry or of a change; `place` and `atMs` are a change's only. */
export interface SummedRow {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly value: string | null;
  readonly revision: number;
  readonly place?: number;
  readonly at_ms?: number;
}

/** 128 bits of SHA-256, in hexadecimal. */
const DIGITS = 32;
export const NO_SUM = "0".repeat(DIGITS);

/** Over all of a row, so that neither its value nor the key that it stands under can change unnoticed, nor two rows change places. */
export function sumOf({ kind, namespace, name, value, revision, place, at_ms: atMs }: SummedRow): string {
  return sumOfValues([kind, namespace, name, value, revision, place ?? null, atMs ?? null]);
}

export function sumOfValues(values: readonly (string | number | null)[]): string {
  // As SQLite keeps a text: half of a surrogate pair is replaced.
  const kept = values.map((value) => (typeof value === "string" ? value.toWellFormed() : value));
  return hash("sha256", JSON.stringify(kept), "hex").slice(0, DIGITS);
}

/** The sum of a set of rows with one more of them, or with one less. */
export function toggle(sumOfSet: string, sumOfRow: string): string {
  return (BigInt(`0x${sumOfSet}`) ^ BigInt(`0x${sumOfRow}`)).toString(16).padStart(DIGITS, "0");
}
