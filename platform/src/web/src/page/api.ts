/** The platform's API as the page needs it: docs/api/openapi.yaml. */

export interface User {
  readonly id: string;
  readonly subject: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly role: "user" | "admin";
}

export interface Video {
  readonly id: string;
  readonly owner: string;
  readonly ownerName: string | null;
  readonly title: string;
  readonly description: string;
  readonly status: "draft" | "published" | "taken-down";
  readonly createdAt: string;
  readonly content: { readonly mediaType: string; readonly sizeBytes: number } | null;
}

export interface Room {
  readonly id: string;
  readonly name: string;
  readonly joined: boolean;
  readonly unread: number;
  readonly lastSeq: number;
}

export interface Message {
  readonly roomId: string;
  readonly seq: number;
  readonly id: string;
  readonly kind: "user" | "system";
  readonly author: string | null;
  readonly authorName: string | null;
  readonly text: string;
  readonly createdAt: string;
}

export interface Person {
  readonly subject: string;
  readonly displayName: string;
}

export interface Unread {
  readonly total: number;
  readonly rooms: readonly { readonly id: string; readonly name: string; readonly unread: number }[];
}

interface Page {
  readonly next: string | null;
}

/** An answer of 400 and above. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ApiOptions {
  readonly accessToken: string;
  /** The token is good no more. */
  readonly onEnded: () => void;
}

export class Api {
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** The caller's profile; `undefined` before sign-up. */
  async profile(): Promise<User | undefined> {
    try {
      return await this.#json<User>("/api/v1/users/me");
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  signUp = (displayName: string) => this.#json<User>("/api/v1/users", "POST", { displayName });
  rename = (displayName: string) => this.#json<User>("/api/v1/users/me", "PATCH", { displayName });
  searchUsers = (q: string) =>
    this.#json<Page & { readonly users: readonly { readonly id: string; readonly displayName: string }[] }>(
      `/api/v1/users?${new URLSearchParams({ limit: "50", ...(q !== "" && { q }) })}`,
    );

  videos = (limit: number, after?: string) =>
    this.#json<Page & { readonly videos: readonly Video[] }>(`/api/v1/videos?${pageQuery(limit, after)}`);
  createVideo = (title: string, description: string) => this.#json<Video>("/api/v1/videos", "POST", { title, description });
  publish = (videoId: string) => this.#json<Video>(`/api/v1/users/moderation/videos/${videoId}/publish`, "POST");

  takeDown = (videoId: string) => this.#json<Video>(`/api/v1/users/moderation/videos/${videoId}/take-down`, "POST");
  /** For role admin only. */
  moderationQueue = (limit: number, after?: string) =>
    this.#json<Page & { readonly videos: readonly Video[] }>(`/api/v1/users/moderation/videos?${pageQuery(limit, after)}`);

  async upload(videoId: string, file: Blob): Promise<Video> {
    const answer = await this.#send(`/api/v1/videos/${videoId}/content`, {
      method: "PUT",
      body: file,
      headers: { "content-type": file.type },
    });
    return (await answer.json()) as Video;
  }

  /** A film's bytes: a video element can't show its token itself. */
  async content(videoId: string): Promise<Blob> {
    return await (await this.#send(`/api/v1/videos/${videoId}/content`)).blob();
  }

  unread = () => this.#json<Unread>("/api/v1/chat/unread");
  rooms = () => this.#json<Page & { readonly rooms: readonly Room[] }>("/api/v1/chat/rooms?limit=100");
  createRoom = (name: string) => this.#json<Room>("/api/v1/chat/rooms", "POST", { name });
  joinRoom = (roomId: string) => this.#json<Room>(`/api/v1/chat/rooms/${roomId}/join`, "POST");
  history = (roomId: string, after?: string) =>
    this.#json<Page & { readonly messages: readonly Message[] }>(`/api/v1/chat/rooms/${roomId}/messages?${pageQuery(50, after)}`);

  async #json<Body>(path: string, method = "GET", json?: unknown): Promise<Body> {
    const init = json === undefined ? { method } : { method, body: JSON.stringify(json), headers: { "content-type": "application/json" } };
    return (await (await this.#send(path, init)).json()) as Body;
  }

  async #send(path: string, init: { method?: string; body?: string | Blob; headers?: Record<string, string> } = {}): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${this.#options.accessToken}` };
    const answer = await fetch(path, { ...init, headers, credentials: "omit", redirect: "error", cache: "no-store" });
    if (answer.ok) return answer;
    if (answer.status === 401) this.#options.onEnded();
    throw new ApiError(answer.status, await reasonOf(answer));
  }
}

function pageQuery(limit: number, after: string | undefined): string {
  return new URLSearchParams({ limit: String(limit), ...(after !== undefined && { after }) }).toString();
}

/** What the problem says, or the status where the answer is none (the proxies' and the firewall's are not). */
async function reasonOf(answer: Response): Promise<string> {
  if (answer.headers.get("content-type")?.startsWith("application/problem+json")) {
    const { title, detail } = (await answer.json()) as { title?: string; detail?: string };
    return detail ?? title ?? String(answer.status);
  }
  return String(answer.status);
}
