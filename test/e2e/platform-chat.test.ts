import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { waitFor } from "./harness/wait.ts";

const USERS = "https://user.example.com/api/v1/users";
const CHAT = "https://chat.example.com/api/v1/chat";
const LOBBY = "00000000-0000-4000-8000-000000000001";

let platform: Platform;
let alice: string;
let bob: string;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  platform = await copyPlatform();
  await platform.start();
  [alice, bob] = await Promise.all([platform.token("alice"), platform.token("bob")]);
});

afterAll(async () => {
  for (const socket of sockets) socket.terminate();
  await platform?.stop();
  platform?.remove();
});

interface Frame {
  readonly type: string;
  readonly message?: { readonly text: string; readonly seq: number; readonly authorName: string | null };
  readonly online?: readonly { readonly subject: string }[];
}

/** A WebSocket through the gateway. `how`: as a program sends its token, or as a page does. */
async function openChat(host: string, how: { header?: string; protocols?: readonly string[] }) {
  const ca = readFileSync(join(platform.dir, ".kumiko/platform/ca/root.pem"), "utf8");
  const socket = new WebSocket(`wss://${host}/api/v1/chat/socket`, [...(how.protocols ?? [])], {
    headers: how.header === undefined ? {} : { authorization: `Bearer ${how.header}` },
    createConnection: () => connect({ host: "127.0.0.1", port: platform.port, servername: host, ca, ALPNProtocols: ["http/1.1"] }),
  });
  sockets.push(socket);
  const frames: Frame[] = [];
  socket.on("message", (text) => frames.push(JSON.parse(String(text)) as Frame));
  await once(socket, "open");
  return {
    say: (frame: object) => socket.send(JSON.stringify(frame)),
    texts: () => frames.filter(({ type }) => type === "message").map(({ message }) => message?.text),
    online: () =>
      frames
        .findLast(({ type }) => type === "presence" || type === "subscribed")
        ?.online?.map(({ subject }) => subject)
        .toSorted(),
    close: () => socket.close(),
  };
}

const call = async (token: string, path: string, json?: object) => {
  const answer = await platform.api(`${CHAT}${path}`, { token, ...(json !== undefined && { json }) });
  expect(answer.status, answer.body).toBeLessThan(300);
  return JSON.parse(answer.body) as { id: string; total: number; messages: { text: string }[] };
};

test("who signs up is greeted in the lobby: user-service's event comes to chat-service through the broker", async () => {
  expect((await platform.api(USERS, { token: alice, json: { displayName: "Alice" } })).status).toBe(201);
  await waitFor("the event has arrived", async () => {
    const answer = await platform.api(`${CHAT}/rooms/${LOBBY}/messages`, { token: alice });
    return answer.status === 200 && answer.body.includes("Alice has joined the platform.");
  });
  expect(await call(alice, "/unread")).toMatchObject({ total: 1, rooms: [{ id: LOBBY, name: "Lobby", unread: 1 }] });
});

describe("two people in a room, over WebSocket through the gateway", () => {
  test("hear each other, a program and a page, under both names; history and unread follow", async () => {
    const room = await call(alice, "/rooms", { name: "Tea" });
    await call(bob, `/rooms/${room.id}/join`, {});
    const a = await openChat("chat.example.com", { header: alice });
    const b = await openChat("user.example.com", { protocols: ["chat.v1", `bearer.${bob}`] });
    for (const one of [a, b]) one.say({ type: "subscribe", roomId: room.id });
    await waitFor("both see each other", () => [a, b].every((one) => one.online()?.join() === "alice,bob"));
    for (let i = 0; i < 10; i++) {
      a.say({ type: "post", roomId: room.id, text: `a${i}`, clientId: randomUUID() });
      b.say({ type: "post", roomId: room.id, text: `b${i}`, clientId: randomUUID() });
    }
    await waitFor("all is heard", () => a.texts().length === 20 && b.texts().length === 20);
    expect(b.texts()).toEqual(a.texts());
    expect((await call(alice, `/rooms/${room.id}/messages`)).messages.map(({ text }) => text)).toEqual(a.texts().toReversed());
    b.close();
    await waitFor("bob is gone", () => a.online()?.join() === "alice");
    a.say({ type: "post", roomId: room.id, text: "alone", clientId: randomUUID() });
    await waitFor("it is stored", () => a.texts().includes("alone"));
    expect((await call(bob, "/unread")).total).toBeGreaterThan(0);
  });

  test("no socket without a good token", async () => {
    const [head = "", , signature = ""] = alice.split(".");
    const claims = { iss: "https://idp.platform.internal", aud: "platform", sub: "bob", role: "admin", exp: 9_999_999_999 };
    const forged = `${head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`;
    await expect(openChat("chat.example.com", {})).rejects.toThrow("403");
    await expect(openChat("chat.example.com", { protocols: ["chat.v1", `bearer.${forged}`] })).rejects.toThrow("401");
    await expect(openChat("chat.example.com", { protocols: ["chat.v1", `bearer.${forged}`], header: alice })).rejects.toThrow("401");
  });
});

describe("a token that covers for another", () => {
  const forged = `e30.${Buffer.from(JSON.stringify({ sub: "bob", role: "admin" })).toString("base64url")}.c2ln`;

  test.each([
    { url: `${USERS}/me`, scheme: "bearer" },
    { url: `${CHAT}/unread`, scheme: "bearer" },
    { url: "https://video.example.com/api/v1/videos", scheme: "bearer" },
    { url: `${CHAT}/unread`, scheme: "Bearer" },
  ])("a good one as subprotocol does not let a forged one as $scheme pass to $url", async ({ url, scheme }) => {
    const headers = { "sec-websocket-protocol": `chat.v1, bearer.${alice}`, authorization: `${scheme} ${forged}` };
    expect([401, 403]).toContain((await platform.api(url, { headers })).status);
  });
});

test("nobody inside calls chat-service: only the gateway does, for somebody with a token", async () => {
  const answer = await platform.callFrom("prober", "http://chat-service.platform:8080/api/v1/chat/unread", { token: alice });
  expect(answer).toMatchObject({ status: 403, body: "RBAC: access denied" });
});

test("neither tokens nor the broker's passwords reach a log", () => {
  const logs = platform.mesh().logs();
  expect(logs).toContain(`"msg":"connected"`);
  for (const secret of [alice, bob, ...platform.secrets()]) expect(logs).not.toContain(secret);
});
