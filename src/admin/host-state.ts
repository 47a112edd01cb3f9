import type { ProgramStatus } from "../model/program-status.ts";
import type { HostState } from "./backend.ts";
import { Refusal } from "./status-object.ts";

const MAX_ENTRIES = 1000;

/** Reads a report of `kumiko up`. @throws Refusal `Invalid` where it has another shape. */
export function readHostState({ programs, weaker }: Readonly<Record<string, unknown>>): HostState {
  if (!isListOf(programs, isProgram) || !isListOf(weaker, isText))
    throw new Refusal("Invalid", "programs and weaker are needed, as kumiko up sends them");
  return { programs, weaker };
}

function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.length <= MAX_ENTRIES && value.every(is);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isProgram(value: unknown): value is ProgramStatus {
  if (typeof value !== "object" || value === null) return false;
  const { name, ready, restarts, message, weaker } = value as Readonly<Record<string, unknown>>;
  return isText(name) && isText(message) && typeof ready === "boolean" && typeof restarts === "number" && isListOf(weaker, isText);
}
