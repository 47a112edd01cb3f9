/** Runs every measurement, or those whose names are given, and prints a table; exit code 1 where a promise is broken. */
import { availableParallelism, cpus } from "node:os";
import { benchMeshtest } from "./meshtest.ts";
import { type BenchRow, isBroken, renderRows } from "./row.ts";
import { benchUp } from "./up.ts";
import { measureXds } from "./xds.ts";

const benches: Readonly<Record<string, () => Promise<readonly BenchRow[]>>> = {
  meshtest: benchMeshtest,
  up: benchUp,
  xds: benchXds,
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  process.stderr.write(`no such measurement: ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}\n`);
  process.exit(2);
}

process.stdout.write(`${availableParallelism()} processors (${cpus()[0]?.model ?? "unknown"}), Node ${process.version}\n\n`);
const rows: BenchRow[] = [];
for (const name of names) {
  const measured = (await benches[name]?.()) ?? [];
  process.stdout.write(`${renderRows(measured)}\n\n`);
  rows.push(...measured);
}
process.exitCode = rows.some(isBroken) ? 1 : 0;

async function benchXds(): Promise<readonly BenchRow[]> {
  const [one, hundred] = [await measureXds(1), await measureXds(100)];
  return [one, hundred].flatMap(({ clients, startMs, startBytes, pushMs, pushBytes, pushStallMs }) => {
    const what = (text: string) => `xds, 1,000 services, ${clients} client${clients === 1 ? "" : "s"}: ${text}`;
    return [
      { what: what("start of all"), value: startMs, unit: "ms" as const },
      { what: what("start, sent"), value: startBytes / 1000, unit: "kB" as const },
      { what: what("push of one route"), value: pushMs, unit: "ms" as const },
      { what: what("push, sent"), value: pushBytes / 1000, unit: "kB" as const },
      { what: what("push, event loop still"), value: pushStallMs, unit: "ms" as const },
    ];
  });
}
