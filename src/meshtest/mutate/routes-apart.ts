import { isRecord } from "../../schema/shape.ts";

/** Whether no request can meet the conditions of both routes, as far as paths and methods say so: then their order has no meaning. */
export function areApart(one: unknown, other: unknown): boolean {
  const [ours, theirs] = [matchesOf(one), matchesOf(other)];
  return ours.length > 0 && theirs.length > 0 && ours.every((match) => theirs.every((second) => areMatchesApart(match, second)));
}

type Match = Readonly<Record<string, unknown>>;

function matchesOf(route: unknown): readonly Match[] {
  const matches = isRecord(route) ? route["match"] : undefined;
  return Array.isArray(matches) ? matches.filter(isRecord) : [];
}

function areMatchesApart(one: Match, other: Match): boolean {
  const folds = one["ignoreUriCase"] === true || other["ignoreUriCase"] === true;
  return (
    areTextsApart(one["uri"], other["uri"], (text) => (folds ? text.toLowerCase() : text)) ||
    areTextsApart(one["method"], other["method"], (text) => text)
  );
}

function areTextsApart(one: unknown, other: unknown, fold: (text: string) => string): boolean {
  if (!isRecord(one) || !isRecord(other)) return false;
  const [first, second] = [textOf(one), textOf(other)];
  if (first === undefined || second === undefined) return false;
  const [a, b] = [fold(first.text), fold(second.text)];
  if (first.exact && second.exact) return a !== b;
  if (first.exact) return !a.startsWith(b);
  return second.exact ? !b.startsWith(a) : !a.startsWith(b) && !b.startsWith(a);
}

function textOf({ exact, prefix }: Match): { readonly exact: boolean; readonly text: string } | undefined {
  if (typeof exact === "string") return { exact: true, text: exact };
  return typeof prefix === "string" ? { exact: false, text: prefix } : undefined;
}
