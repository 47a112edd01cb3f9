import { once } from "node:events";
import { type AddressInfo, createServer, Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import type { ClientOrder } from "../real/exchange.ts";
import { openConnection } from "./open-connection.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("a connection that is open is not refused, however late the program comes to see it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  const inTimersPhase = setTimeout;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  // As after a pause of the whole machine: the time is over, and what the kernel has done meanwhile is not told yet. Both timers are due in one turn.
  const opening = new Promise<Awaited<ReturnType<typeof openConnection>>>((resolve) => {
    inTimersPhase(() => resolve(openConnection({ destination: { address, port } } as ClientOrder, () => {})), 0);
    inTimersPhase(() => vi.advanceTimersByTime(60_000), 0);
  });
  const opened = await opening;
  expect(opened).toBeInstanceOf(Socket);
  (opened as Socket).destroy();
  server.close();
});
