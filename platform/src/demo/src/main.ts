// `node src/main.ts seed` brings the demo data in. `node src/main.ts load` does too, and then drives traffic; exit code 1 where something failed:
// --rate=40 steps a second, --seconds=60, --warm-up=10 seconds before those in which the rate rises, --seed=N for the same steps again (else another, printed), --via=gateway or the edge in front of it.
import { randomInt } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ConfigError, main, port, readConfig } from "@platform/service-kit";
import { placesOf } from "@platform/setup";
import * as z from "zod";
import { checkAcknowledged, LOBBY, newestOf } from "./check.ts";
import { openGateway } from "./gateway.ts";
import { type LoadParts, markOf, runLoad } from "./load.ts";
import { createSignIns } from "./members.ts";
import type { LoadSettings } from "./plan.ts";
import { seed } from "./seed.ts";
import { checkedLines, toTable } from "./table.ts";

const shape = {
  PLATFORM_GATEWAY_PORT: port.default(8443),
  PLATFORM_IDENTITY_PORT: port.default(19_443),
  PLATFORM_EDGE_PORT: port.default(9443),
};

const USAGE = "usage: node src/main.ts seed|load [--rate=N] [--seconds=N] [--warm-up=N] [--seed=N] [--via=gateway|edge]";

const Options = z.object({
  rate: z.coerce.number().int().min(1).max(2_000).default(40),
  // Tokens are good for an hour.
  seconds: z.coerce.number().int().min(1).max(1_800).default(60),
  "warm-up": z.coerce.number().int().min(0).max(300).default(10),
  seed: z.coerce.number().int().min(0).max(999_999_999).optional(),
  via: z.enum(["gateway", "edge"]).default("gateway"),
});

const EVENTS_MS = 30_000;

await main(async () => {
  const { command, "warm-up": warmUpSeconds, ...options } = readArguments();
  const config = readConfig(shape, process.env);
  const places = placesOf(process.env);
  if (!existsSync(places.caCertificate)) throw new ConfigError(`nothing has run with its state in ${places.root}: ./kumiko up platform`);
  const at = options.via === "edge" ? config.PLATFORM_EDGE_PORT : config.PLATFORM_GATEWAY_PORT;
  const gateway = openGateway({ port: at, ca: readFileSync(places.caCertificate, "utf8") });
  const signIns = createSignIns(places, config.PLATFORM_IDENTITY_PORT);
  try {
    const world = await seed(gateway, signIns);
    const { members, videos, rooms } = world;
    process.stdout.write(`Demo data: ${members.length} members, ${videos.length} videos, ${rooms.length} rooms.\n`);
    if (command === "load")
      await load({ ...options, warmUpSeconds, seed: options.seed ?? randomInt(1_000_000_000) }, { gateway, signIns, world });
  } finally {
    gateway.close();
  }
});

function readArguments(): z.output<typeof Options> & { readonly command: "seed" | "load" } {
  const string = { type: "string" } as const;
  const options = { rate: string, seconds: string, "warm-up": string, seed: string, via: string };
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const [command] = positionals;
  if (positionals.length !== 1 || (command !== "seed" && command !== "load")) throw new ConfigError(USAGE);
  const read = Options.safeParse(values);
  if (!read.success)
    throw new ConfigError(`${read.error.issues.map(({ path, message }) => `--${path.join()}: ${message}`).join("\n")}\n${USAGE}`);
  return { command, ...read.data };
}

async function load(settings: LoadSettings, parts: LoadParts): Promise<void> {
  const { gateway, world } = parts;
  const token = world.members[0]?.token ?? "";
  const before = await newestOf([LOBBY, ...world.rooms], { gateway, token });
  const { rate, seconds, warmUpSeconds, seed: own } = settings;
  process.stdout.write(`Load: ${rate} steps a second for ${seconds} s, after ${warmUpSeconds} s in which the rate rises; SEED=${own}\n\n`);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const result = await runLoad(settings, { ...parts, signal: stop.signal });
  process.stdout.write(`${toTable(result)}\n`);
  const checked = await checkAcknowledged(result.acknowledged, {
    gateway,
    token,
    before,
    mark: markOf(settings.seed),
    patienceMs: EVENTS_MS,
  });
  process.stdout.write(`${checkedLines(checked)}\n`);
  if (result.failures.length > 0 || checked.wrong.length > 0) process.exitCode = 1;
}
