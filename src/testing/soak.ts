/**
 * How often a test repeats what it does: few times among the unit tests, the full number where `KUMIKO_SOAK` is set (`make soak`), and
 * `KUMIKO_SOAK=N` says another one.
 */
export function soakRounds(few: number, full: number): number {
  const wanted = process.env["KUMIKO_SOAK"] ?? "";
  if (wanted === "" || wanted === "0") return few;
  return /^\d+$/.test(wanted) && Number(wanted) > 1 ? Number(wanted) : full;
}
