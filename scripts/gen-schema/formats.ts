import type { SourceKind } from "./kinds.ts";
import type { Field, Shape } from "./shape.ts";

/** What Istio's declarations say in words only: which texts are durations and which are regular expressions. */
const DURATIONS = new Set(
  [
    "timeout",
    "perTryTimeout",
    "backoff",
    "connectTimeout",
    "idleTimeout",
    "maxConnectionDuration",
    "interval",
    "time",
    "baseEjectionTime",
  ].concat(["ttl", "warmupDurationSecs", "duration", "fixedDelay", "exponentialDelay", "maxAge"]),
);
const REGEXES = new Set(["regex"]);

export function addFormats(kind: SourceKind, shape: Shape): Shape {
  return kind.family === "istio" ? mark(shape, "") : shape;
}

function mark(shape: Shape, name: string): Shape {
  switch (shape.is) {
    case "object": {
      const fields = new Map<string, Field>();
      for (const [key, field] of shape.fields)
        fields.set(key, { ...field, shape: mark(field.shape, name === "uriRegexRewrite" && key === "match" ? "regex" : key) });
      return { ...shape, fields };
    }
    case "map":
      return { ...shape, values: mark(shape.values, "") };
    case "list":
      return { ...shape, items: mark(shape.items, name) };
    case "string":
      if (shape.enum !== undefined) return shape;
      if (DURATIONS.has(name)) return { ...shape, format: "duration" };
      return REGEXES.has(name) ? { ...shape, format: "regex" } : shape;
    default:
      return shape;
  }
}
