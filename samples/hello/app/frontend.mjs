// Asks the greeter, in plain HTTP: the proxies on both sides make mutual TLS of it.
import { createServer } from "node:http";

// Kubernetes' variables for the service. On a machine without network namespaces they name a local port of this program's own proxy.
const { GREETER_SERVICE_HOST: host = "greeter", GREETER_SERVICE_PORT: port = "8080" } = process.env;
const greeter = `http://${host}:${port}`;
// What ties the spans of one trace together.
const traceHeaders = ["x-request-id", "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"];

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (!response.headersSent) response.writeHead(502, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: "the greeter can't be reached", cause: error.cause?.code ?? error.name }));
  });
});

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://frontend");
  if (pathname === "/healthz") return response.end("ok\n");
  if (pathname !== "/") return response.writeHead(404).end();
  const headers = Object.fromEntries(
    traceHeaders.flatMap((name) => (request.headers[name] === undefined ? [] : [[name, request.headers[name]]])),
  );
  const query = new URLSearchParams({ name: searchParams.get("name") ?? "world" });
  const answered = await fetch(`${greeter}/greeting?${query}`, { headers, redirect: "error", signal: AbortSignal.timeout(5_000) });
  response.writeHead(answered.status, { "content-type": answered.headers.get("content-type") ?? "text/plain" });
  response.end(await answered.text());
}

// Longer than the proxy keeps an idle connection, so that this side never closes one under a request.
server.keepAliveTimeout = 3_700_000;
server.listen(Number(process.env.PORT ?? 8080), "0.0.0.0");
process.on("SIGTERM", () => {
  server.close();
  setInterval(() => server.closeIdleConnections(), 50).unref();
});
