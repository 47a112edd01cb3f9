import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { signIn } from "@platform/identity-provider";
import { type Places, readCredential } from "@platform/setup";

/** Gets tokens of the identity provider, as people do on its pages. */
export interface SignIns {
  /** Of one of the provider's demo users. */
  readonly demoUser: (user: string) => Promise<string>;
  /** Of somebody who registers, or has done so in an earlier run. */
  readonly member: (user: string, name: string) => Promise<string>;
}

export function createSignIns(places: Places, port: number): SignIns {
  const { authority: ca } = readCredential(places, "identity-provider");
  const password = openPassword(join(places.root, "demo", "password"));
  return {
    demoUser: (user) => signIn({ user, port, ca }),
    async member(user, name) {
      try {
        return await signIn({ user, password, port, ca, register: { name, email: `${user}@example.com` } });
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes("is taken")) throw error;
        return await signIn({ user, password, port, ca });
      }
    },
  };
}

/** One for all members of the demonstration, made at the first run; its owner's alone. */
function openPassword(file: string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(24).toString("base64url"), { mode: 0o600, flag: "wx" });
  }
  return readFileSync(file, "utf8");
}
