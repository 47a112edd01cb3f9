type Labels = Readonly<Record<string, string>>;

/** One requirement of a selector; `in` with one value is `=`. */
interface Requirement {
  readonly kind: "in" | "not-in" | "exists" | "absent";
  readonly key: string;
  readonly values: readonly string[];
}

/** The work grows with the square of the length. */
const LONGEST_SELECTOR = 4096;

const KEY = "[A-Za-z0-9][-A-Za-z0-9_./]*";
const VALUE = "[-A-Za-z0-9_.]*";
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const EQUAL = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`);
const EXISTS = new RegExp(`^(!?)\\s*(${KEY})$`);

/**
 * Reads a label selector as kubectl writes it: `app=users,tier!=db,release,!legacy,env in (a,b)`. Empty selects everything; undefined for
 * a text that is not a selector. `!=` and `notin` also select what lacks the label (Kubernetes' rule).
 */
export function parseLabelSelector(text: string): ((labels: Labels) => boolean) | undefined {
  if (text.length > LONGEST_SELECTOR) return undefined;
  const requirements: Requirement[] = [];
  for (const part of splitOutsideParentheses(text)) {
    const requirement = parseRequirement(part.trim());
    if (requirement === undefined) return undefined;
    requirements.push(requirement);
  }
  return (labels) => requirements.every((requirement) => holds(requirement, labels));
}

function splitOutsideParentheses(text: string): readonly string[] {
  return text.trim() === "" ? [] : text.split(/,(?![^(]*\))/);
}

function parseRequirement(text: string): Requirement | undefined {
  const [, setKey, operator, list = ""] = SET.exec(text) ?? [];
  if (setKey !== undefined) {
    const values = list.split(",").map((value) => value.trim());
    return { kind: operator === "in" ? "in" : "not-in", key: setKey, values };
  }
  const [, key, sign, value = ""] = EQUAL.exec(text) ?? [];
  if (key !== undefined) return { kind: sign === "!=" ? "not-in" : "in", key, values: [value] };
  const [, not, name] = EXISTS.exec(text) ?? [];
  return name === undefined ? undefined : { kind: not === "!" ? "absent" : "exists", key: name, values: [] };
}

function holds(requirement: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  if (requirement.kind === "exists") return value !== undefined;
  if (requirement.kind === "absent") return value === undefined;
  if (requirement.kind === "in") return value !== undefined && requirement.values.includes(value);
  return value === undefined || !requirement.values.includes(value);
}
