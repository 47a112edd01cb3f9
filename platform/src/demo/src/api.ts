import * as z from "zod";
import type { Answer, Call, Gateway } from "./gateway.ts";

/** An answer of another status than the caller can do something with. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
  readonly status: number;
  /** It says itself what went wrong: a problem, or a proxy's line of text. */
  readonly isClear: boolean;

  constructor({ method = "GET", path }: Call, { status, headers, body }: Answer) {
    const type = headers["content-type"] ?? "";
    const text = body.toString("utf8").slice(0, 300);
    super(
      `${method} ${path.split("?")[0]}: ${status} ${type.startsWith("application/problem+json") ? titleOf(text) : text.split("\n")[0]}`,
    );
    this.status = status;
    this.isClear = type.startsWith("application/problem+json") || (type.startsWith("text/plain") && text !== "");
  }
}

/** @throws UnexpectedAnswer where the answer's status is none of `expected`. */
export async function ask(gateway: Gateway, call: Call, ...expected: readonly number[]): Promise<Answer> {
  const answer = await gateway.call(call);
  if (!expected.includes(answer.status)) throw new UnexpectedAnswer(call, answer);
  return answer;
}

/** @throws UnexpectedAnswer */
export async function askFor<Shape extends z.ZodType>(shape: Shape, gateway: Gateway, call: Call): Promise<z.output<Shape>> {
  const { body } = await ask(gateway, call, 200, 201);
  return shape.parse(JSON.parse(body.toString("utf8")));
}

const Content = z.object({ sizeBytes: z.int(), sha256: z.string() });
export const Video = z.object({ id: z.string(), owner: z.string(), title: z.string(), status: z.string(), content: Content.nullable() });
export const Profile = z.object({ id: z.string(), subject: z.string(), displayName: z.string() });
export const Room = z.object({ id: z.string(), name: z.string(), createdBy: z.string().nullable(), joined: z.boolean(), lastSeq: z.int() });
export const Message = z.object({ seq: z.int(), text: z.string() });

export type Video = z.output<typeof Video>;
export type Room = z.output<typeof Room>;

const next = z.string().nullable();
export const VideoPage = z.object({ videos: z.array(Video), next });
export const RoomPage = z.object({ rooms: z.array(Room), next });
export const MessagePage = z.object({ messages: z.array(Message), next });

/** Page after page of a list, until `isEnough` says so or there are no more. */
export async function* pagesOf<Page extends { readonly next: string | null }>(
  gateway: Gateway,
  shape: z.ZodType<Page>,
  call: Call,
): AsyncIterable<Page> {
  let after: string | null = "";
  while (after !== null) {
    const path: string = `${call.path}?limit=100${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`;
    const page: Page = await askFor(shape, gateway, { ...call, path });
    yield page;
    after = page.next;
  }
}

function titleOf(text: string): string {
  try {
    const { title, detail } = JSON.parse(text) as { title?: unknown; detail?: unknown };
    return [title, detail].filter((part) => typeof part === "string").join(": ");
  } catch {
    return "a problem that is no JSON";
  }
}
