import { createRandom } from "./random.ts";

/** Kinds of what people do, and how often, in thousandths: 95 % read. */
export const usualShares = {
  "list videos": 180,
  video: 80,
  "stream a range": 180,
  "content unchanged": 30,
  "own profile": 110,
  user: 60,
  "search users": 80,
  rooms: 60,
  history: 100,
  unread: 60,
  presence: 20,
  page: 40,
  "message over WebSocket": 20,
  message: 15,
  "mark read": 5,
  upload: 4,
  "change profile": 4,
  "sign up": 2,
} as const satisfies Readonly<Record<string, number>>;

export type Kind = keyof typeof usualShares;
export type Shares = Readonly<Record<Kind, number>>;

export interface Step {
  /** Counts from 0. */
  readonly index: number;
  /** After the start. */
  readonly atMs: number;
  readonly kind: Kind;
}

export interface LoadSettings {
  /** Steps a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Before those: the rate rises from nothing, as services that were just started are slow. These steps count, too. None where left out. */
  readonly warmUpSeconds?: number;
  readonly seed: number;
  /** The usual ones unless told otherwise. */
  readonly shares?: Shares;
}

const SIGN_UP_EVERY_MS = 1_000;

const kinds = Object.keys(usualShares) as Kind[];

/** What is done when; the same for the same settings. Never more than one sign-up within a second. */
export function* planOf({ rate, seconds, warmUpSeconds = 0, seed, shares = usualShares }: LoadSettings): Iterable<Step> {
  const random = createRandom(seed);
  const total = kinds.reduce((sum, kind) => sum + shares[kind], 0);
  let signUpFrom = 0;
  const rising = Math.floor((rate * warmUpSeconds) / 2);
  for (let index = 0; index < rising + rate * seconds; index++) {
    const place = index + random.next();
    const atMs =
      index < rising ? Math.sqrt(place / rising) * warmUpSeconds * 1000 : warmUpSeconds * 1000 + ((place - rising) * 1000) / rate;
    const chosen = kindAt(shares, random.below(total));
    const isTooSoon = chosen === "sign up" && atMs < signUpFrom;
    if (chosen === "sign up" && !isTooSoon) signUpFrom = atMs + SIGN_UP_EVERY_MS;
    yield { index, atMs, kind: isTooSoon ? "message" : chosen };
  }
}

function kindAt(shares: Shares, place: number): Kind {
  let end = 0;
  for (const kind of kinds) {
    end += shares[kind];
    if (place < end) return kind;
  }
  throw new Error("the place is behind the last kind");
}
