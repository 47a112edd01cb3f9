// Answers as asked for in the query: `?broken=NAME` breaks HTTP in that way.
import { createServer } from "node:http";

const BROKEN = {
  "transfer-encoding-twice": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  "chunked-204": "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  "header-name": "HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 0\r\n\r\n",
  "large-headers": `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100 * 1024)}\r\ncontent-length: 0\r\n\r\n`,
};

createServer((request, response) => {
  const broken = BROKEN[new URL(request.url, "http://me").searchParams.get("broken")];
  if (broken === undefined) response.end("fine\n");
  else request.socket.end(broken);
}).listen(Number(process.env.PORT), "0.0.0.0");
