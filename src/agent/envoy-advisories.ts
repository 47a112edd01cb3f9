import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";

/** One batch of published vulnerabilities and the first release of each minor line that has the fixes. */
interface AdvisoryBatch {
  readonly published: string;
  readonly cves: readonly string[];
  readonly fixedIn: readonly string[];
}

const cves = (year: number, ...numbers: readonly number[]): readonly string[] => numbers.map((number) => `CVE-${year}-${number}`);

/**
 * Published Envoy CVEs since 1.36, from Envoy's release notes and changelogs (and ISTIO-SECURITY-2026-001, -005, -006).
 * A minor line older than all of `fixedIn` got no fix; one newer was first released with it.
 */
const BATCHES: readonly AdvisoryBatch[] = [
  { published: "2025-12-04", cves: cves(2025, 64527, 64763, 66220), fixedIn: ["1.36.3"] },
  { published: "2026-03-10", cves: cves(2026, 26308, 26309, 26310, 26311, 26330), fixedIn: ["1.36.5", "1.37.1"] },
  { published: "2026-06-04", cves: cves(2026, 47774), fixedIn: ["1.36.7", "1.37.3", "1.38.1"] },
  {
    published: "2026-06-23",
    cves: cves(2026, 47204, 47205, 47207, 47220, 47221, 47692, 47775, 47778, 48042, 48044, 48090, 48497, 48706, 48743),
    fixedIn: ["1.36.9", "1.37.5", "1.38.3"],
  },
  {
    published: "2026-08-26",
    cves: cves(2026, 48521, 50572, 73511, 73512, 73513, 73546, 73547, 73548, 73549, 73550, 73551, 73552, 73553),
    fixedIn: ["1.36.10", "1.37.6", "1.38.4", "1.39.1"],
  },
  { published: "2026-10-01", cves: cves(2026, 35189), fixedIn: ["1.36.11", "1.37.7", "1.38.5", "1.39.2"] },
];

/** The published vulnerabilities of an Envoy version (`1.36.4`), oldest first; none for a text that is no version. */
export function findAdvisories(version: string): readonly string[] {
  const parts = parseVersion(version);
  if (parts === undefined) return [];
  return BATCHES.filter((batch) => !hasFix(parts, batch)).flatMap((batch) => batch.cves);
}

/** KMK4002 where an Envoy of that version has published vulnerabilities; `who` names the proxy or the setting. */
export function checkEnvoyVersion(version: string, who: string): readonly Diagnostic[] {
  const found = findAdvisories(version);
  if (found.length === 0) return [];
  const named = found.length <= 3 ? found.join(", ") : `${found.slice(0, 3).join(", ")} and ${found.length - 3} more`;
  return [
    diagnostic("KMK4002", {
      message: `${who}: Envoy ${version} has published vulnerabilities: ${named}`,
      help: "use a newer Envoy: leave --envoy out, or update the one that it names",
    }),
  ];
}

function hasFix(version: Version, batch: AdvisoryBatch): boolean {
  const fixes = batch.fixedIn.map(parseVersion).filter((fix) => fix !== undefined);
  const sameLine = fixes.find((fix) => fix.major === version.major && fix.minor === version.minor);
  if (sameLine !== undefined) return version.patch >= sameLine.patch;
  return fixes.every((fix) => version.major > fix.major || (version.major === fix.major && version.minor > fix.minor));
}

interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

function parseVersion(text: string): Version | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})/.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}
