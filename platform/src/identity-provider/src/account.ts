import { demoUsers } from "./demo-users.ts";
import { type TextKey, textOf } from "./text.ts";

/** Who can sign in, as tokens tell of him. */
export interface Account {
  readonly sub: string;
  readonly name: string;
  readonly email: string;
  readonly role: "user" | "admin";
}

/** Why somebody can't be registered; the page says it in its language. */
export class RegistrationError extends Error {
  override readonly name = "RegistrationError";
  readonly status: 400 | 409;
  readonly problems: readonly TextKey[];

  constructor(status: 400 | 409, problems: readonly TextKey[]) {
    super(problems.map((problem) => textOf("en", problem)).join("; "));
    this.status = status;
    this.problems = problems;
  }
}

export interface Registration {
  readonly user: string;
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

/** The provider's accounts: the demo users, and whoever registers. */
export interface Accounts {
  find(sub: string): Account | undefined;
  /**
   * Makes an account with role user.
   *
   * @throws RegistrationError where the name is taken or something does not fit.
   */
  register(registration: Registration): Promise<Account>;
  /** The account whose password it is. Demo users have none: there is nothing behind them to protect. */
  signIn(sub: string, password: string): Promise<Account | "wrong" | "wait">;
}

export function findDemoUser(sub: string): Account | undefined {
  return demoUsers.find((user) => user.sub === sub);
}
