/** A text with commands for a person to type, with `program` as they call us: `./kumiko`, `npx kumiko`. What only mentions the name stays. */
export function asTyped(text: string, program: string): string {
  return text.replaceAll(/(?<![\w/.@-])kumiko(?= (?:[a-z]|--))/g, () => program);
}
