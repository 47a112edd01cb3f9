import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { checkSystem } from "../../src/runtime/index.ts";
import { makeOrdinaryUser, type OrdinaryUser, userObstacle } from "./harness/ordinary-user.ts";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { remains } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

const USERS = "https://user.example.com/api/v1/users";
const VIDEOS = "https://video.example.com/api/v1/videos";
const CHAT = "https://chat.example.com/api/v1/chat";
const LOBBY = "00000000-0000-4000-8000-000000000001";
/** Looks like the beginning of an MP4, and is text, so that what comes back is compared as text. */
const MOVIE = `\0\0\0\u0018ftypisom${"kumiko".repeat(20_000)}`;

/** Becomes a command, for the same user, where nobody can make any of these namespaces, as on systems that refuse them. */
const refusing = (...kinds: readonly ("net" | "mnt")[]): readonly string[] => {
  const switches = kinds.map((kind) => `echo 0 > /proc/sys/user/max_${kind}_namespaces`).join(" && ");
  const asBefore = 'exec unshare --user --map-user="$uid" --map-group="$gid" -- "$@"';
  const script = `uid=$(id -u) gid=$(id -g); export uid gid; exec unshare --user --map-root-user sh -c '${switches} && ${asBefore}' sh "$@"`;
  return ["sh", "-c", script, "sh"];
};

const noMounts = checkSystem(undefined, "ports").mounts?.way === undefined ? "the system has no mount namespaces" : undefined;
const noUser = userObstacle() ?? noMounts;
let user: OrdinaryUser | undefined;

beforeAll(async () => {
  if (noUser === undefined) user = await makeOrdinaryUser();
});

afterAll(() => user?.remove());

interface Situation {
  readonly title: string;
  readonly asUser: boolean;
  readonly args?: readonly string[];
  readonly launch?: readonly string[];
  /** What `up` says of it. */
  readonly said: RegExp;
}

const SITUATIONS: readonly Situation[] = [
  {
    title: "as an ordinary user",
    asUser: true,
    args: ["--mode", "ports"],
    said: /asked for[\s\S]*can't connect to idp\.platform\.internal:443/,
  },
  { title: "as root", asUser: false, args: ["--mode", "ports"], said: /asked for/ },
  { title: "as an ordinary user whose system refuses network namespaces", asUser: true, launch: refusing("net"), said: /No space left/ },
];

describe.each(SITUATIONS)("the platform on local ports, $title", ({ asUser, args = [], launch = [], said }) => {
  const obstacle = asUser ? noUser : noMounts;
  describe.skipIf(obstacle !== undefined)(`runs${obstacle === undefined ? "" : ` (skipped: ${obstacle})`}`, () => {
    let platform: Platform;
    let alice: string;
    let bob: string;
    const outside = createServer((_, answer) => void answer.end("from outside"));

    beforeAll(async () => {
      platform = await copyPlatform({ ...(asUser && user !== undefined && { user }), onLoopback: true, args, launch });
      await openOutside(platform.dir, outside);
      await platform.start();
      [alice, bob] = await Promise.all([platform.token("alice"), platform.token("bob")]);
    });

    afterAll(async () => {
      await platform?.stop();
      platform?.remove();
      outside.close();
    });

    const read = async <T>(answer: ReturnType<Platform["api"]>, status = 200): Promise<T> => {
      const { status: actual, body } = await answer;
      expect(actual, body).toBe(status);
      return JSON.parse(body) as T;
    };

    test("all of it is ready: up, status and the list of Pods say the same", async () => {
      expect(platform.mesh().output()).toMatch(said);
      expect(platform.mesh().output()).toContain("The mesh runs.");
      const status = await platform.kumiko("status");
      expect(status.code, status.stdout + status.stderr).toBe(0);
      const { stdout } = await platform.kumiko("get", "pods", "-A");
      expect(stdout.match(/ 1\/1 /g)?.length, stdout).toBe(10);
    });

    test("a user signs up, is found and kept out without a token", async () => {
      const dave = await platform.register("dave", "Dave Doi");
      const { id } = await read<{ id: string }>(platform.api(USERS, { token: dave, json: { displayName: "Dave" } }), 201);
      expect(await read(platform.api(`${USERS}?q=dave`, { token: alice }))).toMatchObject({ users: [{ id, displayName: "Dave" }] });
      expect(await platform.api(`${USERS}/me`)).toMatchObject({ status: 403, body: "RBAC: access denied" });
    });

    test("a video is uploaded, published by a moderator over gRPC, and streamed", async () => {
      const { id } = await read<{ id: string }>(platform.api(VIDEOS, { token: alice, json: { title: "Asanoha" } }), 201);
      const headers = { "content-type": "video/mp4" };
      await read(platform.api(`${VIDEOS}/${id}/content`, { method: "PUT", token: alice, body: MOVIE, headers }));
      const publish = (token: string) => platform.api(`${USERS}/moderation/videos/${id}/publish`, { method: "POST", token });
      expect(await publish(alice)).toMatchObject({ status: 403 });
      await read(publish(bob));
      expect((await platform.api(`${VIDEOS}/${id}/content`, { token: bob })).body === MOVIE).toBe(true);
    });

    test("who signs up is greeted in the lobby, by an event through the broker", async () => {
      await platform.api(USERS, { token: alice, json: { displayName: "Alice" } });
      await waitFor("the event has arrived", async () => {
        const { body } = await platform.api(`${CHAT}/rooms/${LOBBY}/messages`, { token: alice });
        return body.includes("Alice has joined the platform.");
      });
    });

    test("two people hear each other over WebSocket", async () => {
      const room = await read<{ id: string }>(platform.api(`${CHAT}/rooms`, { token: alice, json: { name: "Tea" } }), 201);
      await platform.api(`${CHAT}/rooms/${room.id}/join`, { token: bob, json: {} });
      const [a, b] = await Promise.all([openChat(platform, alice), openChat(platform, bob)]);
      for (const one of [a, b]) one.say({ type: "subscribe", roomId: room.id });
      await waitFor("both see each other", () => [a, b].every(({ heard }) => heard("alice") && heard("bob")));
      a.say({ type: "post", roomId: room.id, text: "from alice", clientId: randomUUID() });
      b.say({ type: "post", roomId: room.id, text: "from bob", clientId: randomUUID() });
      await waitFor("all is heard", () => [a, b].every(({ heard }) => heard("from alice") && heard("from bob")));
      for (const one of [a, b]) one.close();
    });

    test("names lead to the workload's own sidecar, which policies see as who it is", async () => {
      const admin = "http://video-service.platform:9090/platform.video.v1.VideoAdmin/PublishVideo";
      expect(await platform.callFrom("chat-twin", admin, { method: "POST", token: bob })).toMatchObject({
        status: 403,
        body: "RBAC: access denied",
      });
    });

    test("a sidecar reaches a port outside on which its user could not listen", async () => {
      expect(await platform.callFrom("prober", "http://plain.outside.test:8099/")).toMatchObject({ status: 200, body: "from outside" });
    });

    test("a name that nothing opens is not found", async () => {
      expect(JSON.stringify(await platform.callFrom("prober", "http://example.com:8080/"))).toContain("ENOTFOUND");
    });

    test("a workload that isn't ready is no ready one to status either", async () => {
      platform.mesh().edit("infra/k8s/web/deployment.yaml", (text) => text.replaceAll("/health/ready", "/health/never"));
      await waitFor("status sees it", async () => {
        const { code, stdout } = await platform.kumiko("status");
        return code === 1 && /web-v1-\S+ +no .*not ready yet/.test(stdout);
      });
      platform.mesh().edit("infra/k8s/web/deployment.yaml", (text) => text.replaceAll("/health/never", "/health/ready"));
      await waitFor("all are ready again", async () => (await platform.kumiko("status")).code === 0);
    });

    test("Ctrl-C leaves nothing", async () => {
      const footprint = platform.mesh().footprint();
      await platform.mesh().interrupt();
      expect(await remains(footprint)).toEqual([]);
    });
  });
});

test.skipIf(noUser !== undefined)("where no mounts can be had either, up fails at once with one line that says what to do", async () => {
  const platform = await copyPlatform({ user: user!, onLoopback: true, launch: refusing("net", "mnt"), withTestWorkloads: false });
  try {
    const failure = await platform.start().then(
      () => "it started",
      (error: Error) => error.message,
    );
    expect(failure).toContain("it ended with code 1");
    expect(failure).toMatch(
      /error: workloads can't look up db\.platform\.internal, idp\.\S+, nats\.\S+: neither network nor mount namespaces/,
    );
    expect(failure).toMatch(/\n {2}next: .+/);
    expect(failure).not.toContain("machine  ");
  } finally {
    await platform.stop();
    platform.remove();
  }
});

/** An outside host that workloads call on port 8099, their sidecars on 443. */
async function openOutside(dir: string, server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const settings = join(dir, "kumiko.yaml");
  writeFileSync(settings, readFileSync(settings, "utf8").replace("hosts:\n", `hosts:\n  plain.outside.test:443: 127.0.0.1:${port}\n`));
  const ports = [{ number: 8099, name: "http", protocol: "HTTP", targetPort: 443 }];
  const spec = { hosts: ["plain.outside.test"], exportTo: ["."], location: "MESH_EXTERNAL", resolution: "DNS", ports };
  const entry = { apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name: "plain", namespace: "platform" }, spec };
  writeFileSync(join(dir, "infra/k8s/outside/plain.yaml"), JSON.stringify(entry));
}

async function openChat(platform: Platform, token: string) {
  const host = "chat.example.com";
  const ca = readFileSync(join(platform.dir, ".kumiko/platform/ca/root.pem"), "utf8");
  const socket = new WebSocket(`wss://${host}/api/v1/chat/socket`, [], {
    headers: { authorization: `Bearer ${token}` },
    createConnection: () => connect({ host: "127.0.0.1", port: platform.port, servername: host, ca, ALPNProtocols: ["http/1.1"] }),
  });
  let frames = "";
  socket.on("message", (text) => (frames += String(text)));
  await once(socket, "open");
  return {
    say: (frame: object) => socket.send(JSON.stringify(frame)),
    heard: (text: string) => frames.includes(`"${text}"`),
    close: () => socket.terminate(),
  };
}
