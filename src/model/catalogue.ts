export type Severity = "error" | "warning" | "info";

interface Entry {
  readonly severity: Severity;
  readonly title: string;
  readonly retired?: true;
}

/**
 * Every diagnostic that exists. Codes are forever: a retired one stays, so that it is never reused.
 * IST0xxx where Istio's analyzers mean the same; KMK0xxx reading, 1xxx shape, 2xxx reference, 3xxx security, 4xxx proxy, 5xxx CA.
 */
export const catalogue = {
  IST0101: { severity: "error", title: "referenced resource does not exist" },
  KMK0001: { severity: "error", title: "file can't be read" },
  KMK0002: { severity: "error", title: "file can't be parsed" },
  KMK0003: { severity: "error", title: "document breaks a limit" },
  KMK0004: { severity: "error", title: "resources that vanished are held back" },
  KMK0005: { severity: "error", title: "resource is declared twice" },
  KMK0006: { severity: "info", title: "last good version stays in use" },
  KMK0007: { severity: "error", title: "manifests can't be rendered" },
  KMK1001: { severity: "error", title: "field has the wrong shape" },
  KMK1002: { severity: "warning", title: "unknown field" },
  KMK1003: { severity: "warning", title: "field is not honoured yet" },
  KMK1004: { severity: "warning", title: "kind is not known" },
  KMK2001: { severity: "warning", title: "host belongs to no service" },
  KMK2004: { severity: "error", title: "destination subset does not exist" },
  KMK2007: { severity: "warning", title: "host is claimed by two resources" },
  KMK2010: { severity: "error", title: "image has no command in kumiko.yaml" },
  KMK3001: { severity: "warning", title: "policy can't be expressed as written and was made stricter" },
  KMK3002: { severity: "error", title: "key set can't be used" },
  KMK3003: { severity: "warning", title: "host is routed mesh-wide from a namespace that doesn't own it" },
  KMK4001: { severity: "error", title: "a proxy refused the configuration" },
  KMK4002: { severity: "warning", title: "proxy version has a published vulnerability" },
  KMK5001: { severity: "warning", title: "development root signs identities" },
} as const satisfies Record<`IST${number}` | `KMK${number}`, Entry>;

export type DiagnosticCode = keyof typeof catalogue;
