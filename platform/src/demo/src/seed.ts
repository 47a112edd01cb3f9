import { ask, askFor, pagesOf, Profile, Room, RoomPage, Video, VideoPage } from "./api.ts";
import { MESSAGES_PER_ROOM, movies, people, remarkOf, roomNames } from "./catalogue.ts";
import type { Gateway } from "./gateway.ts";
import { inParallel } from "./in-parallel.ts";
import type { SignIns } from "./members.ts";
import { MOVIE_TYPE, movieOf } from "./movie.ts";
import { uuidOf } from "./random.ts";

export interface Member {
  readonly user: string;
  /** The profile's. */
  readonly id: string;
  readonly displayName: string;
  readonly token: string;
}

/** What there is when the demo data is in. */
export interface World {
  readonly members: readonly Member[];
  /** A token of somebody who may publish. */
  readonly moderator: string;
  readonly videos: readonly { readonly id: string; readonly sizeBytes: number }[];
  /** All members are in every room. */
  readonly rooms: readonly string[];
}

/** Steps at a time: two cores are shared with all that answers. */
const PARALLEL = 4;

/** Brings the demo data in by the public API; a second time it finds what is there and adds only what is missing. */
export async function seed(gateway: Gateway, signIns: SignIns): Promise<World> {
  const moderator = await signIns.demoUser("bob");
  const members = await inParallel(PARALLEL, people, async ({ user, name }) => {
    const token = await signIns.member(user, name);
    const call = { host: "user.example.com", path: "/api/v1/users", method: "POST", token, json: { displayName: name } } as const;
    return { user, displayName: name, token, id: (await askFor(Profile, gateway, call)).id };
  });
  const videos = await seedVideos(gateway, members, moderator);
  const rooms = await seedRooms(gateway, members);
  await inParallel(PARALLEL, rooms, (room, index) => seedMessages(gateway, members, room, index));
  return { members, moderator, videos, rooms };
}

async function seedVideos(gateway: Gateway, members: readonly Member[], moderator: string): Promise<World["videos"]> {
  const there = new Map<string, Video>();
  const wanted = new Set(movies.map(({ title }) => title));
  const owners = new Set(members.map(({ user }) => user));
  const list = { host: "video.example.com", path: "/api/v1/videos" } as const;
  for (const { token } of new Set(movies.map((_, index) => ownerOf(members, index)))) {
    for await (const page of pagesOf(gateway, VideoPage, { ...list, token })) {
      for (const video of page.videos) if (wanted.has(video.title) && owners.has(video.owner)) there.set(video.title, video);
      if (there.size === wanted.size) break;
    }
    if (there.size === wanted.size) break;
  }
  return await inParallel(PARALLEL, movies, async ({ title, sizeBytes }, index) => {
    const { token } = ownerOf(members, index);
    const json = { title, description: "Part of the demo data." };
    const video = there.get(title) ?? (await askFor(Video, gateway, { ...list, method: "POST", token, json }));
    if (video.content === null) {
      const headers = { "content-type": MOVIE_TYPE };
      const path = `/api/v1/videos/${video.id}/content`;
      await ask(gateway, { ...list, path, method: "PUT", token, headers, body: movieOf(title, sizeBytes) }, 200);
    }
    if (video.status === "draft") {
      const path = `/api/v1/users/moderation/videos/${video.id}/publish`;
      await ask(gateway, { host: "user.example.com", path, method: "POST", token: moderator }, 200);
    }
    return { id: video.id, sizeBytes };
  });
}

async function seedRooms(gateway: Gateway, members: readonly Member[]): Promise<readonly string[]> {
  const host = "chat.example.com";
  const path = "/api/v1/chat/rooms";
  const roomsOf = async (token: string) => {
    const found = new Map<string, Room>();
    for await (const { rooms } of pagesOf(gateway, RoomPage, { host, path, token })) {
      for (const room of rooms) if (members.some(({ user }) => user === room.createdBy)) found.set(room.name, room);
      if (roomNames.every((name) => found.has(name))) break;
    }
    return found;
  };
  const there = await roomsOf(ownerOf(members, 0).token);
  const rooms = await inParallel(PARALLEL, roomNames, async (name, index) => {
    const { token } = ownerOf(members, index);
    return there.get(name)?.id ?? (await askFor(Room, gateway, { host, path, method: "POST", token, json: { name } })).id;
  });
  await inParallel(PARALLEL, members, async ({ token }) => {
    const joined = new Set([...(await roomsOf(token)).values()].filter((room) => room.joined).map(({ id }) => id));
    for (const room of rooms) {
      if (!joined.has(room)) await ask(gateway, { host, path: `${path}/${room}/join`, method: "POST", token, json: {} }, 200);
    }
  });
  return rooms;
}

/** Each has a client's id of its own, always the same: sent again, it is found. */
async function seedMessages(gateway: Gateway, members: readonly Member[], room: string, roomIndex: number): Promise<void> {
  for (let index = 0; index < MESSAGES_PER_ROOM; index++) {
    const { token } = ownerOf(members, roomIndex + index * 5);
    const json = { text: remarkOf(roomIndex + index, `demo ${index + 1}`), clientId: uuidOf(`demo message ${room} ${index}`) };
    await ask(gateway, { host: "chat.example.com", path: `/api/v1/chat/rooms/${room}/messages`, method: "POST", token, json }, 200, 201);
  }
}

function ownerOf(members: readonly Member[], index: number): Member {
  const member = members[index % members.length];
  if (member === undefined) throw new Error("there are no members");
  return member;
}
