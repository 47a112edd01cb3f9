// Prints an access token: `node scripts/token.ts alice`. Whoever is no demo user has a password, in PLATFORM_PASSWORD.
// The token comes from the identity provider, by its real flow. With --ttl, --audience or --issuer it is signed here with the provider's
// key instead, to get one that must be refused.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { demoUsers, mintToken, signIn } from "../src/identity-provider/src/index.ts";
import { CallerError, main, port, readConfig } from "../src/service-kit/src/index.ts";
import { placesOf, readCredential, readSigningKeys } from "../src/setup/src/index.ts";

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ttl: { type: "string" }, audience: { type: "string" }, issuer: { type: "string" } },
  });
  const [user, ...rest] = positionals;
  if (user === undefined || rest.length > 0)
    throw new CallerError("usage: node scripts/token.ts USER [--ttl=SECONDS] [--audience=NAME] [--issuer=URL]");
  const places = placesOf(process.env);
  const { ttl, audience, issuer } = values;
  if (ttl !== undefined || audience !== undefined || issuer !== undefined) {
    const ttlSeconds = Number(ttl ?? 3_600);
    if (!Number.isInteger(ttlSeconds)) throw new CallerError("error: --ttl is a whole number of seconds: --ttl 60");
    const wish = { ...(audience !== undefined && { audience }), ...(issuer !== undefined && { issuer }) };
    process.stdout.write(`${await mintToken({ user, signingKeys: readSigningKeys(places), ttlSeconds, ...wish })}\n`);
    return;
  }
  const password = process.env["PLATFORM_PASSWORD"];
  if (password === undefined && !demoUsers.some(({ sub }) => sub === user))
    throw new CallerError(
      `error: ${user} is none of the demo users (${demoUsers.map(({ sub }) => sub).join(", ")}), and so has a password\n` +
        `  next: run it again with the password in PLATFORM_PASSWORD, or make the account:  ${howToRegister(user, places.root)}`,
    );
  const config = readConfig({ PLATFORM_IDENTITY_PORT: port.default(19_443) }, process.env);
  const { authority } = readCredential(places, "identity-provider");
  const token = await signIn({ user, port: config.PLATFORM_IDENTITY_PORT, ca: authority, ...(password !== undefined && { password }) });
  process.stdout.write(`${token}\n`);
});

/** Wherever it is typed: `kumiko token create` runs this program in another folder than the caller's. */
function howToRegister(user: string, state: string): string {
  const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const program = join(import.meta.dirname, "register.ts");
  return `PLATFORM_STATE=${quoted(state)} PLATFORM_PASSWORD=PASSWORD ${quoted(process.execPath)} ${quoted(program)} ${quoted(user)} --name=NAME --email=ADDRESS`;
}
