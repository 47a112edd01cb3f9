/** An account of the provider. Demo users sign in by their name: there is nothing behind them to protect. */
export interface DemoUser {
  readonly sub: string;
  readonly name: string;
  readonly email: string;
  readonly role: "user" | "admin";
}

export const demoUsers: readonly DemoUser[] = [
  { sub: "alice", name: "Alice Aoki", email: "alice@example.com", role: "user" },
  { sub: "bob", name: "Bob Baba", email: "bob@example.com", role: "admin" },
  { sub: "carol", name: "Carol Chiba", email: "carol@example.com", role: "user" },
];

export function findDemoUser(sub: string): DemoUser | undefined {
  return demoUsers.find((user) => user.sub === sub);
}
