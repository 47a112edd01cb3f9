/** Both halves of the relay in a process of their own, so that its descriptors can be counted and its end be seen. */
import { readdirSync } from "node:fs";
import { dialFromSocket, forwardToSocket } from "../runtime/relay.ts";

const [path = "", port, target] = process.argv.slice(2);
const ends = [
  await dialFromSocket(path, () => ({ host: "127.0.0.1", port: Number(target) })),
  await forwardToSocket({ host: "127.0.0.1", port: Number(port) }, path, { kind: "relay", host: "db.example.com", port: 5432 }),
];
process.on("message", (order) => {
  if (order === "count") process.send?.(readdirSync("/proc/self/fd").length);
  else void Promise.all(ends.map((end) => end.close())).then(() => process.disconnect());
});
process.send?.("ready");
