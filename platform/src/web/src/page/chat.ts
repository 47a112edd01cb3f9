import type { Message, Person, Room } from "./api.ts";
import { ChatLine, type LineState, type Socket } from "./chat-line.ts";
import { splitLinks } from "./links.ts";
import { attempt, el, field, formatTime, notify, onSubmit, t } from "./dom.ts";
import type { Signed, View } from "./view.ts";

const STATES = { connecting: "connecting", connected: "connected", reconnecting: "reconnecting", ended: "sessionEnded" } as const;

/** The rooms, and the one that is open. */
export async function chatView(signed: Signed, roomId: string | undefined): Promise<View> {
  const { rooms } = await signed.api.rooms();
  const open = rooms.find(({ id }) => id === roomId);
  const room = open === undefined ? undefined : await openRoom(open, signed);
  const chosen = room?.content ?? el("p", {}, t("chooseRoom"));
  return {
    content: [el("div", { class: open === undefined ? "chat" : "chat open" }, roomList(rooms, open, signed), chosen)],
    ...(room !== undefined && { close: room.close }),
  };
}

function roomList(rooms: readonly Room[], open: Room | undefined, { api }: Signed): HTMLElement {
  const items = rooms.map(({ id, name, unread }) => {
    const text = unread === 0 || id === open?.id ? name : t("unreadIn", { room: name, count: unread });
    return el("li", {}, el("a", { href: `#chat/${id}`, "aria-current": id === open?.id && "true" }, text));
  });
  const name = el("input", { name: "name", required: true, maxlength: "80" });
  const form = el("form", {}, field("newRoom", name), el("p", {}, el("button", {}, t("create"))));
  onSubmit(form, async () => {
    const room = await api.createRoom(name.value);
    location.hash = `#chat/${room.id}`;
  });
  return el("div", { class: "rooms" }, el("h2", {}, t("rooms")), el("ul", {}, ...items), form);
}

async function openRoom(room: Room, signed: Signed): Promise<{ readonly content: HTMLElement; readonly close: () => void }> {
  if (!room.joined) await signed.api.joinRoom(room.id);
  const log = el("div", { class: "log", role: "log", "aria-label": t("messages"), tabindex: "0" });
  const history = await signed.api.history(room.id);
  const older = olderButton(room, log, history.next, signed);
  const messages = [...history.messages].reverse();
  log.append(...messages.map((message) => messageItem(message, signed)));
  const parts = { log, waiting: el("ul"), online: el("p"), state: el("p", { role: "status" }) };
  const line = openLine(room, messages.at(-1)?.seq ?? 0, { ...parts, signed });
  const readNow = () => document.visibilityState === "visible" && line.read();
  document.addEventListener("visibilitychange", readNow);
  // Where there is no room beside it, the list is behind this link.
  const back = el("p", { class: "back" }, el("a", { href: "#chat" }, t("allRooms")));
  const content = el(
    "div",
    { class: "room" },
    back,
    el("h2", {}, room.name),
    parts.state,
    parts.online,
    older,
    log,
    parts.waiting,
    sendForm(line),
  );
  // It has its height only once it is in the document.
  requestAnimationFrame(() => (log.scrollTop = log.scrollHeight));
  return {
    content,
    close: () => {
      document.removeEventListener("visibilitychange", readNow);
      line.close();
    },
  };
}

interface RoomParts {
  readonly log: HTMLElement;
  readonly waiting: HTMLElement;
  readonly online: HTMLElement;
  readonly state: HTMLElement;
  readonly signed: Signed;
}

function openLine(room: Room, lastSeq: number, { log, waiting, online, state, signed }: RoomParts): ChatLine {
  const line: ChatLine = new ChatLine({
    roomId: room.id,
    lastSeq,
    open: () => openSocket(signed.accessToken),
    onState: (now: LineState) => {
      state.textContent = t(STATES[now]);
      if (now === "ended") signed.onEnded();
      if (now === "connected" && document.visibilityState === "visible") line.read();
    },
    onMessage: (message) => {
      const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      log.append(messageItem(message, signed));
      if (follows) log.scrollTop = log.scrollHeight;
      if (document.visibilityState === "visible") line.read();
    },
    onPresence: (people: readonly Person[]) => {
      online.textContent = `${t("online")}: ${people.map(({ displayName }) => displayName).join(", ")}`;
    },
    onWaiting: (texts) => waiting.replaceChildren(...texts.map((text) => el("li", {}, `${text} (${t("waiting")})`))),
    onProblem: (reason) => notify(t("failed", { reason })),
  });
  return line;
}

function openSocket(accessToken: string): Socket {
  const web = new WebSocket(`wss://${location.host}/api/v1/chat/socket`, ["chat.v1", `bearer.${accessToken}`]);
  const socket: Socket = { send: (text) => web.send(text), close: () => web.close(), onopen: null, onmessage: null, onclose: null };
  web.addEventListener("open", () => socket.onopen?.());
  web.addEventListener("message", ({ data }) => socket.onmessage?.({ data }));
  web.addEventListener("close", ({ code }) => socket.onclose?.({ code }));
  return socket;
}

function messageItem({ author, authorName, text, createdAt }: Message, { profile }: Signed): HTMLElement {
  const name = author === null ? t("platform") : (authorName ?? author);
  return el(
    "div",
    { class: author === profile.subject ? "message own" : "message" },
    el("p", {}, el("strong", {}, name), " ", el("time", { datetime: createdAt }, formatTime(createdAt))),
    el("p", {}, ...splitLinks(text).map((piece) => (typeof piece === "string" ? piece : outsideLink(piece)))),
  );
}

/** Where it leads is a stranger's, who gets to know neither this page nor this window. */
function outsideLink({ href, text }: { readonly href: string; readonly text: string }): HTMLAnchorElement {
  return el("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
}

function sendForm(line: ChatLine): HTMLFormElement {
  const text = el("input", { name: "text", required: true, maxlength: "4000", autocomplete: "off" });
  const form = el("form", { class: "line say" }, field("message", text), el("button", {}, t("send")));
  return onSubmit(form, async () => {
    if (text.value.trim() === "") return;
    line.say(text.value);
    form.reset();
    text.focus();
  });
}

function olderButton(room: Room, log: HTMLElement, first: string | null, signed: Signed): HTMLElement {
  let next = first;
  const button = el("button", { type: "button", class: "plain", hidden: next === null }, t("older"));
  const load = async () => {
    const page = await signed.api.history(room.id, next ?? undefined);
    log.prepend(...[...page.messages].reverse().map((message) => messageItem(message, signed)));
    next = page.next;
    button.hidden = next === null;
  };
  button.addEventListener("click", () => void attempt(load));
  return el("p", {}, button);
}
