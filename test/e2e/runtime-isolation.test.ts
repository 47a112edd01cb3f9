import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { homedir, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { toOutsideTable } from "../../src/runtime/outside-table.ts";
import { checkSystem, type DeclaredResource, type ObservedPod } from "../../src/runtime/index.ts";
import { deployment, descendants, type RunningFixture, startFixture, until } from "./runtime-fixture/host.ts";
import { repository } from "./harness/mesh.ts";
import { freePort } from "../../src/testing/free-port.ts";

const system = checkSystem();
const isolated = system.mode === "namespaces" && system.missing.length === 0;

const OPENED: DeclaredResource = {
  kind: "ServiceEntry",
  metadata: { name: "open", namespace: "shop", labels: {}, annotations: {} },
  body: { spec: { hosts: ["open.example.com"], ports: [{ number: 5432, name: "tcp", protocol: "TCP" }], resolution: "DNS" } },
};

const SERVER = deployment("server", {
  command: ["/usr/bin/python3", "-m", "http.server", "8080"],
  container: { readinessProbe: { httpGet: { path: "/", port: 8080 } } },
});

const GATEWAY = deployment("gateway", {
  command: [],
  container: { image: "auto" },
  template: { serviceAccountName: "gateway" },
});
const gatewayTemplate = (GATEWAY.body as { spec: { template: { metadata: object } } }).spec.template;
gatewayTemplate.metadata = { labels: { istio: "ingressgateway" }, annotations: { "inject.istio.io/templates": "gateway" } };

describe.skipIf(!isolated)("a workload in its namespaces", () => {
  let fixture: RunningFixture;
  let listener: Server;
  /** Of a program of the machine, in the applications' folder. */
  let socketServer: Server;
  let published: number;
  let result: Readonly<Record<string, unknown>>;

  beforeAll(async () => {
    // Answers only when the other side has ended its half, with more than any buffer holds.
    listener = createServer({ allowHalfOpen: true }, (socket) => {
      socket.resume().once("end", () => socket.end("host".repeat(500_000)));
    });
    await new Promise<void>((resolve) => listener.listen(0, "0.0.0.0", resolve));
    const { port } = listener.address() as { port: number };
    published = await freePort();
    fixture = await startFixture({
      hidden: ["manifests"],
      settings: {
        hosts: { "open.example.com": `127.0.0.1:${port}` },
        publish: [{ namespace: "shop", deployment: "gateway", port: 443, hostAddress: "127.0.0.1", hostPort: published }],
      },
    });
    copyFileSync(fileURLToPath(new URL("runtime-fixture/attack.py", import.meta.url)), join(fixture.options.folder, "attack.py"));
    const secret = join(fixture.options.stateDir, "other.key");
    writeFileSync(secret, "key of another");
    const own = join(fixture.options.folder, "own.sock");
    socketServer = createServer((socket) => socket.end("host"));
    await new Promise<void>((resolve) => socketServer.listen(own, resolve));
    const otherState = join(fixture.options.folder, "other-mesh/.kumiko/ca");
    const manifests = join(fixture.options.folder, "manifests");
    for (const made of [otherState, manifests]) mkdirSync(made, { recursive: true });
    writeFileSync(join(otherState, "root.key"), "root key of another mesh");
    writeFileSync(join(manifests, "users.yaml"), "kind: Secret");
    fixture.set([SERVER, OPENED]);
    const server = await readyPod(fixture, "server");
    const { runDir } = fixture.options;
    const targets = {
      tcp: {
        sibling: [server.address, 8080],
        "sibling's inbound port": [server.address, 15006],
        "host loopback": ["127.0.0.1", port],
        bridge: ["10.244.0.1", port],
        "host address": [hostAddress(), port],
        "outside address": ["192.0.2.1", 443],
        "relay address": [relayAddress(), 5432],
      },
      sockets: [join(runDir, "host.sock"), join(runDir, "machine.sock"), own],
      secrets: [secret],
      files: {
        "/etc/shadow": "/etc/shadow",
        "the root key of another mesh": join(otherState, "root.key"),
        "a manifest": join(manifests, "users.yaml"),
        "this test": fileURLToPath(import.meta.url),
        "the machine's hosts": "/proc/1/root/../etc/machine-id",
      },
      folders: { "the user's home": homedir(), "the folder around it": fixture.root, "the repository": repository },
      manifest: join(manifests, "users.yaml"),
      run: runDir,
      home: homedir(),
    };
    fixture.set([
      SERVER,
      OPENED,
      deployment("attacker", { command: ["/usr/bin/python3", "attack.py", "--stay"], env: { TARGETS: JSON.stringify(targets) } }),
    ]);
    const attacker = await readyPod(fixture, "attacker");
    const line = await until("the attacker's result", () => /RESULT (.*)/.exec(fixture.log(attacker))?.[1]);
    result = JSON.parse(line) as Readonly<Record<string, unknown>>;
  });

  afterAll(async () => {
    await fixture?.host.stop({ graceMs: 20_000 });
    listener?.close();
    socketServer?.close();
    if (fixture !== undefined) rmSync(fixture.root, { recursive: true, force: true });
  });

  test.each(["sibling", "sibling's inbound port", "host loopback", "bridge", "host address", "outside address", "relay address"])(
    "can't connect to %s past its sidecar, by TCP or UDP",
    (name) => {
      expect(result[`tcp ${name}`]).toMatch(/^failed/);
      // The pod's own loopback takes a datagram, and drops it: nobody is there.
      expect(result[`udp ${name}`]).toMatch(name === "host loopback" ? /succeeded/ : /^failed/);
    },
  );

  test.each([
    "tcp sibling from 127.0.0.6",
    "mark",
    "mark in a user namespace",
    "raw socket",
    "packet socket",
    "packet socket in a user namespace",
    "vsock",
    "vsock in a user namespace",
    "crypto socket",
    "io_uring",
    "the session's keyring",
    "a key of its own",
    "names of the session's keys",
    "a call of 32 bits",
    "unix host.sock",
    "unix machine.sock",
    "unix own.sock",
    "read other.key",
    "umount",
    "umount in a user namespace",
    "umount in a user namespace of another uid",
    "flush rules",
    "address",
    "enter another namespace",
    "write a sysctl",
    "switch IPv6 on",
    "write beside the application",
    "write to the user's home",
    "read /etc/shadow",
    "read the root key of another mesh",
    "read a manifest",
    "read this test",
    "read the machine's hosts",
    "list the user's home",
    "write a manifest",
    "find the files in a user namespace",
    "make a device",
    "open a kernel device",
  ])("fails: %s", (attempt) => {
    expect(result[attempt]).toMatch(/^failed/);
  });

  test("finds of what lies around its folder and its Node nothing but the way there", () => {
    expect(result["list the folder around it"]).toBe("entries ['app']");
    expect(result["list the repository"]).toBe("entries ['node_modules']");
  });

  test("its proxy finds its own sockets, and neither state, keys, manifests, homes nor processes", async () => {
    const text = await until("what the proxy saw", () =>
      fixture
        .notes("said")
        .map(({ said }) => /SEEN (.*)/.exec(String(said))?.[1])
        .find((line) => line !== undefined),
    );
    const seen = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const { "run folder": entries, "write to its sockets' folder": ownFolder, processes, ...attempts } = seen;
    expect({ entries, ownFolder, processes }).toEqual({ entries: ["p"], ownFolder: "succeeded", processes: [1] });
    for (const [attempt, result] of Object.entries(attempts))
      expect([attempt, result]).toEqual([attempt, expect.stringMatching(/^failed/)]);
    expect(Object.keys(attempts).length).toBeGreaterThan(6);
  });

  test("finds the folder of sockets empty, no capability, and no process but its own", () => {
    expect(result["list run folder"]).toMatch(/^entries \[\]$|^failed: .*No such file/);
    expect(new Set(result["capabilities"] as readonly string[])).toEqual(new Set(["0000000000000000"]));
    expect((result["processes"] as readonly number[]).length).toBeLessThanOrEqual(3);
  });

  test("finds no device but those that every container has", () => {
    const devices = ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"];
    expect(result["devices"]).toEqual(devices);
  });

  test("a connection to a sibling is handed to the sidecar's port, where nobody is in this test, instead of vanishing", () => {
    expect(result["tcp sibling"]).toMatch(/refused/);
  });

  test("the resolver of the sidecars answers opened hosts with relay addresses, and nothing else", () => {
    expect(result["dns open"]).toBe(`rcode 0 ${relayAddress()}`);
    expect(result["dns closed"]).toBe("rcode 3 none");
  });

  test("the sidecar's way out, by mark, resolver and relay, reaches the real address on the host; each half of a connection ends by itself", async () => {
    const said = await until("what the relay answered", () => fixture.notes("said").find((note) => JSON.stringify(note).includes("relay")));
    expect(said["said"]).toContain("relay answered 2000000 bytes, first host");
  });

  test("a published port of the host reaches the gateway's proxy, which has no application", async () => {
    fixture.set([OPENED, SERVER, GATEWAY]);
    const gateway = await readyPod(fixture, "gateway");
    expect(await until("the gateway listens", () => exchange(published, "hello").catch(() => undefined))).toBe(
      "gateway heard hello from 10.244.0.1",
    );
    expect(fixture.notes("proxies").at(-1)).toMatchObject({ name: gateway.name, type: "router", capture: "redirect", dnsCapture: false });
  });

  test("what it writes in its own folder is gone with the pod", () => {
    expect(result["write in the application's folder"]).toBe("succeeded");
    expect(existsSync(join(fixture.options.folder, "written"))).toBe(false);
  });

  test("stopping takes the endpoint away first, then drains the proxy, which ends last", async () => {
    fixture.set([OPENED, SERVER]);
    await until("the attacker is gone", () => fixture.pods().every(({ name }) => !name.startsWith("attacker")));
    const order = fixture.notes("order").filter((note) => JSON.stringify(note).includes("attacker"));
    expect(order.slice(-4).map((note) => Object.keys(note)[0])).toEqual(["report", "drained", "ended", "removed"]);
    expect(order.at(-4)).toMatchObject({ ready: false });
  });
});

describe.skipIf(!isolated)("a parent that is killed with SIGKILL", () => {
  test("leaves no process, no namespace and no mount", async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "kumiko-e2e-")));
    const mountsBefore = readFileSync("/proc/self/mountinfo", "utf8");
    const parent = spawn(process.execPath, [fileURLToPath(new URL("runtime-fixture/host.ts", import.meta.url)), root], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    parent.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    onTestFinished(() => void parent.kill("SIGKILL"));
    await until("two pods run", () => said.includes("ready"), 60_000);
    const pids = descendants(parent.pid ?? 0);
    const own = readLink("/proc/self/ns/net");
    const networks = new Set(pids.map((pid) => readLink(`/proc/${pid}/ns/net`)).filter((link) => link !== undefined && link !== own));
    expect(pids.length).toBeGreaterThan(6);
    expect(networks.size).toBe(3);

    parent.kill("SIGKILL");

    await until("no process is left", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
    for (const entry of readdirSync("/proc")) expect(networks).not.toContain(readLink(`/proc/${entry}/ns/net`));
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mountsBefore);
    rmSync(root, { recursive: true, force: true });
  });
});

function readyPod(fixture: RunningFixture, workload: string): Promise<ObservedPod> {
  return until(`${workload} is ready`, () => fixture.pods().find(({ name, ready }) => name.startsWith(workload) && ready)).catch(
    (error: Error) => {
      throw new Error(
        `${error.message}: ${JSON.stringify(fixture.pods())} ${JSON.stringify(fixture.events.filter(({ kind }) => kind === "error"))}`,
      );
    },
  );
}

function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
    });
    socket.once("error", reject).once("end", () => resolve(heard));
  });
}

function hostAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "192.0.2.2";
}

function relayAddress(): string {
  return toOutsideTable([OPENED], "10.245")[0]?.address ?? "";
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
