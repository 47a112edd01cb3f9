import { describe, expect, test } from "vitest";
import { type Capture, type Leaving, wayIn, type WayOut, wayOut } from "../evaluate/capture.ts";
import { BRIDGE_ADDRESS, DNS_PORT, INBOUND_PORT, OUTBOUND_PORT, podRules, PROBE_ADDRESS } from "./network.ts";

const OWN = "10.244.3.4";
const APPLICATION = 8080;

/** A packet as a rule sees it. */
interface Packet {
  readonly protocol: "tcp" | "udp";
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly mark: string;
  readonly out?: "lo" | "eth0";
  readonly in?: "eth0";
}

interface Rule {
  readonly options: readonly string[];
  readonly target: string;
  readonly to?: number;
}

/** The rules of one chain, in order, as `iptables-restore` reads them. */
function chainOf(rules: string, table: string, chain: string): readonly Rule[] {
  const part = rules.split(/^\*/m).find((text) => text.startsWith(`${table}\n`)) ?? "";
  const lines = part.split("\n").filter((line) => line.startsWith(`-A ${chain} `));
  return lines.map((line) => {
    const words = line.split(" ").slice(2);
    const at = words.indexOf("-j");
    const port = words[words.indexOf("--to-ports") + 1];
    return { options: words.slice(0, at), target: words[at + 1] ?? "", ...(words.includes("--to-ports") && { to: Number(port) }) };
  });
}

function matches(options: readonly string[], packet: Packet): boolean {
  for (let i = 0; i < options.length; ) {
    const isNot = options[i] === "!";
    if (isNot) i++;
    const [option = "", value = ""] = options.slice(i, i + 2);
    // A module's name says nothing by itself.
    if (option !== "-m" && meets(option, value, packet) === isNot) return false;
    i += 2;
  }
  return true;
}

function meets(option: string, value: string, packet: Packet): boolean {
  switch (option) {
    case "-p":
      return packet.protocol === value;
    case "-s":
      return packet.source === value;
    case "-d":
      return inRange(packet.destination, value);
    case "-o":
      return packet.out === value;
    case "-i":
      return packet.in === value;
    case "--dport":
      return packet.port === Number(value);
    case "--mark":
      return packet.mark === value;
    case "--ctstate":
    case "--ctdir":
      // The first packet of a connection answers none.
      return false;
    default:
      throw new Error(`the test knows no ${option}`);
  }
}

function inRange(address: string, range: string): boolean {
  const [network = "", bits = "32"] = range.split("/");
  const octets = Number(bits) / 8;
  return address.split(".").slice(0, octets).join(".") === network.split(".").slice(0, octets).join(".");
}

/** Where the kernel's tables lead the packet that leaves a pod. */
function ledOut(capture: Capture, { protocol, by, source, destination: { address, port }, isOwn }: Leaving): WayOut {
  const rules = podRules(capture);
  const mark = by === "proxy" ? "1337" : "0";
  const packet: Packet = { protocol, source, destination: address, port, mark, out: isOwn ? "lo" : "eth0" };
  const found = chainOf(rules, "nat", "OUTPUT").find(({ options }) => matches(options, packet));
  const after = found?.target === "REDIRECT" ? { ...packet, destination: "127.0.0.1", port: found.to ?? 0 } : packet;
  const passed = chainOf(rules, "filter", "OUTPUT").find(({ options }) => matches(options, after))?.target === "ACCEPT";
  if (!passed) return "nowhere";
  if (found?.to === undefined) return isOwn ? "own port" : "away";
  return { [OUTBOUND_PORT]: "outbound", [INBOUND_PORT]: "inbound", [DNS_PORT]: "resolver" }[String(found.to)] as WayOut;
}

const DESTINATIONS = [OWN, "127.0.0.1", "127.9.9.9", "10.244.3.5", "10.96.0.7", "10.245.1.1", "192.0.2.1", BRIDGE_ADDRESS, PROBE_ADDRESS];

describe.each(["sidecar", "gateway", "none"] as const)("capture %s", (capture) => {
  const packets = (["tcp", "udp"] as const).flatMap((protocol) =>
    (["application", "proxy"] as const).flatMap((by) =>
      [OWN, "127.0.0.1", "127.0.0.6"].flatMap((source) =>
        DESTINATIONS.flatMap((address) =>
          [53, APPLICATION, INBOUND_PORT].map((port): Leaving => {
            const isOwn = address === OWN || address.startsWith("127.");
            return { protocol, by, source, destination: { address, port }, isOwn };
          }),
        ),
      ),
    ),
  );

  test("what leaves goes where the evaluator says that it goes", () => {
    const said = packets.map((packet) => ({ ...packet, way: wayOut(capture, packet) }));
    expect(said).toEqual(packets.map((packet) => ({ ...packet, way: ledOut(capture, packet) })));
  });

  test.each([PROBE_ADDRESS, "10.244.3.5", "203.0.113.10", BRIDGE_ADDRESS])("what comes from %s goes where the evaluator says", (source) => {
    const packet: Packet = { protocol: "tcp", source, destination: OWN, port: APPLICATION, mark: "0", in: "eth0" };
    const found = chainOf(podRules(capture), "nat", "PREROUTING").find(({ options }) => matches(options, packet));
    expect(wayIn(capture, source)).toBe(found?.to === INBOUND_PORT ? "inbound" : "own port");
    const after = found?.to === undefined ? packet : { ...packet, port: found.to };
    expect(chainOf(podRules(capture), "filter", "INPUT").find(({ options }) => matches(options, after))?.target).toBe("ACCEPT");
  });
});

test("every way out is led by some packet", () => {
  const of = (packet: Partial<Leaving>) =>
    wayOut("sidecar", {
      protocol: "tcp",
      by: "application",
      source: OWN,
      destination: { address: "10.96.0.7", port: 80 },
      isOwn: false,
      ...packet,
    });
  const own = { destination: { address: OWN, port: 80 }, isOwn: true };
  const ways = [
    of({}),
    of({ by: "proxy", ...own }),
    of({ protocol: "udp", destination: { address: "8.8.8.8", port: 53 } }),
    of(own),
    of({ by: "proxy" }),
    of({ protocol: "udp" }),
  ];
  expect(ways).toEqual(["outbound", "inbound", "resolver", "own port", "away", "nowhere"]);
});
