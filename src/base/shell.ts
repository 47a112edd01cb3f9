/** One word of a POSIX shell command, whatever it holds. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line of quoted words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quote).join(" ");
}
