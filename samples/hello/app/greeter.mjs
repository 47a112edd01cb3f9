// Greets whoever asks, and says who that was: the proxy in front has checked the caller's certificate and put its name into a header.
import { createServer } from "node:http";

const version = process.env.VERSION ?? "v1";

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://greeter");
  if (pathname === "/healthz") return response.end("ok\n");
  const name = (searchParams.get("name") ?? "world").slice(0, 100);
  const peer = /URI=([^;,]+)/.exec(request.headers["x-forwarded-client-cert"] ?? "")?.[1] ?? "nobody that I know";
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ greeting: `Hello, ${name}!`, version, askedBy: peer }));
});

// Longer than the proxy keeps an idle connection, so that this side never closes one under a request.
server.keepAliveTimeout = 3_700_000;
server.listen(Number(process.env.PORT ?? 8080), "0.0.0.0");
process.on("SIGTERM", () => {
  server.close();
  setInterval(() => server.closeIdleConnections(), 50).unref();
});
