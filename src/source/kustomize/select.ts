import { RE2JS } from "re2js";
import { idOf, inDefault, isClusterScoped, type Id, type Item } from "./item.ts";
import { type Fields, isFields, textOf } from "./values.ts";

const FIELDS = new Set(["group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"]);

/** Why a selector can't be used. */
export class WrongSelector extends Error {}

/**
 * The items that a patch's target means: what is left out means all, texts are regular expressions over the whole value, and names and namespaces
 * may be the original or the current ones. @throws WrongSelector
 */
export function select(items: readonly Item[], target: Fields): readonly Item[] {
  const other = Object.keys(target).find((key) => !FIELDS.has(key));
  if (other !== undefined) throw new WrongSelector(`${other} is no field of a target`);
  const texts = Object.entries(target).filter(([key, text]) => !key.endsWith("Selector") && textOf(text) !== "");
  const patterns = new Map(texts.map(([key, text]) => [key, compile(textOf(text))]));
  const matches = (key: string, text: string) => patterns.get(key)?.matches(text) ?? true;
  const hasLabels = requirementsOf(textOf(target["labelSelector"]));
  const hasAnnotations = requirementsOf(textOf(target["annotationSelector"]));
  return items.filter(({ value, former }) => {
    const now = idOf(value);
    const ids: readonly Id[] = [former[0] ?? now, now];
    const { labels, annotations } = isFields(value["metadata"]) ? value["metadata"] : { labels: {}, annotations: {} };
    return (
      ids.some((id) => matches("namespace", isClusterScoped(id) ? id.namespace : inDefault(id.namespace))) &&
      ids.some((id) => matches("name", id.name)) &&
      (["group", "version", "kind"] as const).every((key) => matches(key, now[key])) &&
      hasLabels(labels) &&
      hasAnnotations(annotations)
    );
  });
}

function compile(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch {
    throw new WrongSelector(`${JSON.stringify(text)} is no regular expression`);
  }
}

type Requirement = (values: Fields) => boolean;

/** A label selector as the command line has it: `a=b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`, separated by commas. */
function requirementsOf(selector: string): (values: unknown) => boolean {
  const parts = splitOutside(selector)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const requirements = parts.map(requirementOf);
  return (values) => requirements.every((holds) => holds(isFields(values) ? values : {}));
}

/** By commas that stand in no parentheses. */
function splitOutside(selector: string): readonly string[] {
  const parts = [""];
  let isInside = false;
  for (const sign of selector) {
    if (sign === "(" || sign === ")") isInside = sign === "(";
    if (sign === "," && !isInside) parts.push("");
    else parts[parts.length - 1] += sign;
  }
  return parts;
}

const REQUIREMENT = /^(?:(?<absent>!)\s*)?(?<key>[\w./-]+)\s*(?:(?<op>==|=|!=|\bin\b|\bnotin\b)\s*(?<rest>.*))?$/;

function requirementOf(part: string): Requirement {
  const { absent, key = "", op, rest = "" } = REQUIREMENT.exec(part)?.groups ?? {};
  if (key === "" || (absent !== undefined && op !== undefined)) throw new WrongSelector(`${JSON.stringify(part)} is no label selector`);
  if (op === undefined) return (values) => key in values === (absent === undefined);
  const list = op.endsWith("in") ? /^\((.*)\)$/.exec(rest)?.[1]?.split(",") : [rest];
  if (list === undefined) throw new WrongSelector(`${JSON.stringify(part)} is no label selector`);
  const meant = new Set(list.map((text) => text.trim()));
  const isNegated = op === "!=" || op === "notin";
  return (values) => (key in values && meant.has(textOf(values[key]))) !== isNegated;
}
