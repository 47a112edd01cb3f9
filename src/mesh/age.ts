/** What Istio's order of precedence looks at. */
export interface Aged {
  /** RFC 3339, empty where unknown: those go last, so that a declared age beats none. */
  readonly created: string;
  readonly namespace: string;
  readonly name: string;
}

/** Istio's order of precedence: older first, then by namespace and name. */
export function byAge(a: Aged, b: Aged): number {
  const [one, other] = [ageKey(a), ageKey(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** A text whose order is that of `byAge`: the key of what is kept in it. */
export function ageKey({ created, namespace, name }: Aged): string {
  return `${created === "" ? UNKNOWN : created}\0${namespace}\0${name}`;
}

/** After every time. */
const UNKNOWN = "~";
