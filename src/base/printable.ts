/**
 * Characters that do something to a terminal or to the order in which a text is shown: C0 and C1, line and paragraph separators, and those that
 * turn the direction of writing (Unicode TR 9), by which a name can look like another one.
 */
const ACTIVE = "\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069";
const ANY = new RegExp(`[${ACTIVE}]`, "g");
/** Colours, and what `kumiko up` replaces a line with: all that this program itself writes. */
const OURS = "\\u001b\\[[0-9;]*m|\\r\\u001b\\[K|\\r?\\n|\\t";
const OURS_OR_ANY = new RegExp(`(${OURS})|[${ACTIVE}]`, "g");

/** One line of text from elsewhere, for a log or a terminal: what it may do there is nothing. Active characters are shown, not obeyed. */
export function printable(text: string): string {
  return text.replaceAll(ANY, escaped);
}

/** As `printable`, for a text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Everything that goes to a terminal: the last net under what should have been made printable where it was put together. */
export function terminalText(text: string): string {
  return text.replaceAll(OURS_OR_ANY, (character, ours: string | undefined) => ours ?? escaped(character));
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
}
