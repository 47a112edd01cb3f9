import type { IncomingMessage, ServerResponse } from "node:http";
import type { Provider } from "oidc-provider";
import { demoUsers, findDemoUser } from "./demo-users.ts";

const PATH = /^\/interaction\/[\w-]{1,64}$/;
const MAX_BODY = 1_024;

/** True for the requests that `answerSignIn` is for. */
export function isSignIn(request: IncomingMessage): boolean {
  return PATH.test(new URL(request.url ?? "/", "http://localhost").pathname);
}

/** The page on which a demo user is chosen, and what its form sends. */
export async function answerSignIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === "GET") {
    await provider.interactionDetails(request, response);
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": "default-src 'none'; form-action *" });
    response.end(page());
    return;
  }
  if (request.method !== "POST") return refuse(response, 405, "only GET and POST");
  const user = findDemoUser(new URLSearchParams(await readBody(request)).get("user") ?? "");
  if (user === undefined) return refuse(response, 400, "no such user");
  await provider.interactionFinished(request, response, { login: { accountId: user.sub } }, { mergeWithLastSubmission: false });
}

function page(): string {
  const buttons = demoUsers.map(({ sub, name, role }) => `<button name="user" value="${sub}">${name} (${role})</button>`).join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in</title>
<h1>Sign in as</h1>
<form method="post">
${buttons}
</form>
</html>
`;
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_BODY) throw new Error("the form is too long");
  }
  return text;
}
