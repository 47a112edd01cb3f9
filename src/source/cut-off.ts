import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";

/**
 * A text that is the beginning of the former one and ends where no edit ends: in the middle of a line, with a key or a dash that something was
 * to follow, or within a document after which others came. Its writer has not finished, or was stopped. Undefined for any other text.
 */
export function findCutOff(text: string, former: string, file: string): Diagnostic | undefined {
  const isPart = text.length < former.length && former.startsWith(text) && text.trim() !== "";
  if (!isPart) return undefined;
  const rest = former.slice(text.length);
  const isInDocument =
    /^---/m.test(rest) && !rest.startsWith("---") && !/^---.*\n$/.test(text.slice(text.lastIndexOf("\n", text.length - 2) + 1));
  if (!isInDocument && !/([^\n]|[:-][ \t]*\n\s*)$/.test(text)) return undefined;
  const line = text.trimEnd().split("\n").length;
  return diagnostic("KMK0002", {
    message: `${file} ends in the middle of what it said before: it looks cut off`,
    help: "write the rest; if it is to end there, end it with a whole line",
    position: { file, line, column: 1 },
  });
}

/** True where a writer may still be at work: the text is the beginning of the former one, or has lost the end of its last line. */
export function mayGoOn(text: string, former: string): boolean {
  return (former.endsWith("\n") && !text.endsWith("\n")) || (text.length < former.length && former.startsWith(text));
}
