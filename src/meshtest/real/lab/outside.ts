import { flushCompileCache } from "node:module";
import { PassThrough, type Readable } from "node:stream";
import { MeshError } from "../../../model/error.ts";
import { startDns } from "../../../runtime/dns.ts";
import { BRIDGE_ADDRESS } from "../../../runtime/network.ts";
import { runCommand } from "../../../runtime/run-command.ts";
import { onLines } from "./lines.ts";
import { ownAddresses } from "./network.ts";
import type { OutsideOrder, OutsideReport } from "./protocol.ts";

const DNS_PORT = 53;
/** A cheap test for a line that is ours; every other one is for the echo program. */
const OWN_LINE = '{"kind":"place"';

export interface EchoEnds {
  readonly input: Readable;
  /** Takes one line with its line feed. */
  write(line: string): void;
}

export interface OutsideOptions extends EchoEnds {
  /** Runs an echo program until its input ends. */
  runEcho(ends: EchoEnds): Promise<void>;
}

/**
 * The program in a mesh's own network: an echo program for hosts and clients outside of the mesh, and the resolver of the proxies, which knows
 * the names that it is told and asks nobody else.
 */
export async function runOutside({ input, write, runEcho }: OutsideOptions): Promise<void> {
  let names: Readonly<Record<string, string>> = {};
  const find = (name: string) => (Object.hasOwn(names, name) ? names[name] : undefined);
  await startDns({ address: BRIDGE_ADDRESS, port: DNS_PORT, find });
  const echoInput = new PassThrough();
  onLines(input, (line) => {
    if (!line.startsWith(OWN_LINE)) return void echoInput.write(`${line}\n`);
    const order = JSON.parse(line) as OutsideOrder;
    names = order.names;
    void place(order).then((report) => write(`${JSON.stringify(report)}\n`));
  });
  input.once("end", () => echoInput.end());
  // It ends by a signal, too late to keep what it compiled for the next.
  flushCompileCache();
  await runEcho({ input: echoInput, write });
}

async function place({ id, addresses }: OutsideOrder): Promise<OutsideReport> {
  try {
    if (addresses.length > 0) await runCommand("ip", ["-batch", "-"], ownAddresses(addresses));
    return { kind: "placed", id };
  } catch (thrown) {
    return { kind: "placed", id, message: MeshError.from(thrown).message };
  }
}
