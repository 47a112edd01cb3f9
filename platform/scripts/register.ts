// Registers somebody with the identity provider, as its page does, and prints an access token:
// `PLATFORM_PASSWORD=… node scripts/register.ts dave --name=Dave --email=dave@example.com`.
import { parseArgs } from "node:util";
import { signIn } from "../src/identity-provider/src/index.ts";
import { CallerError, main, port, readConfig } from "../src/service-kit/src/index.ts";
import { placesOf, readCredential } from "../src/setup/src/index.ts";

await main(async () => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { name: { type: "string" }, email: { type: "string" } } });
  const [user, ...rest] = positionals;
  const password = process.env["PLATFORM_PASSWORD"];
  if (user === undefined || rest.length > 0 || password === undefined)
    throw new CallerError("usage: PLATFORM_PASSWORD=… node scripts/register.ts USER [--name=NAME] [--email=ADDRESS]");
  const { PLATFORM_IDENTITY_PORT } = readConfig({ PLATFORM_IDENTITY_PORT: port.default(19_443) }, process.env);
  const { authority } = readCredential(placesOf(process.env), "identity-provider");
  const register = { name: values.name ?? user, email: values.email ?? `${user}@example.com` };
  process.stdout.write(`${await signIn({ user, password, register, port: PLATFORM_IDENTITY_PORT, ca: authority })}\n`);
});
