import type { SourcePosition } from "../model/position.ts";

/** Why a test file can't be used; none of its calls run. */
export interface FileError extends SourcePosition {
  readonly message: string;
  readonly help?: string;
}

export function fileError(position: SourcePosition, message: string, help?: string): FileError {
  return { ...position, message, ...(help !== undefined && { help }) };
}
