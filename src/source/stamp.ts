/** Changes when a file's content may have. */
export function stampOf({ mtimeMs, ctimeMs, size, ino }: { mtimeMs: number; ctimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
}
