import type { Video } from "./api.ts";
import { attempt, el, formatTime, notify, t } from "./dom.ts";
import type { TextKey } from "./text.ts";
import type { Signed, View } from "./view.ts";

const PAGE = 12;

/** All videos that the person may see, a page at a time. */
export async function videosView(signed: Signed): Promise<View> {
  const list = el("ul", { class: "cards" });
  const more = el("button", { type: "button" }, t("more"));
  let next: string | null = null;
  const load = async () => {
    const page = await signed.api.videos(PAGE, next ?? undefined);
    list.append(...page.videos.map((video) => card(video, signed, "h2")));
    next = page.next;
    more.hidden = next === null;
  };
  more.addEventListener("click", () => void attempt(load));
  await load();
  return { content: [list.childElementCount === 0 ? el("p", {}, t("noVideos")) : list, el("p", {}, more)] };
}

export function videoCards(videos: readonly Video[], signed: Signed): HTMLElement {
  if (videos.length === 0) return el("p", {}, t("noVideos"));
  return el("ul", { class: "cards" }, ...videos.map((video) => card(video, signed, "h3")));
}

function card(video: Video, signed: Signed, heading: "h2" | "h3"): HTMLLIElement {
  const status: TextKey = video.status === "published" ? "publishedStatus" : video.status;
  const stage = el("p");
  const canPublish = signed.profile.role === "admin" && video.status === "draft" && video.content !== null;
  return el(
    "li",
    {},
    el(heading, {}, video.title),
    el("p", {}, video.description),
    el("p", {}, `${t("status")}: ${t(status)} · ${formatTime(video.createdAt)}`),
    stage,
    el("p", { class: "line" }, video.content !== null && playButton(video, stage, signed), canPublish && publishButton(video, signed)),
  );
}

function playButton(video: Video, stage: HTMLElement, { api }: Signed): HTMLButtonElement {
  const button = el("button", { type: "button", "aria-label": t("playTitle", { title: video.title }) }, t("play"));
  button.addEventListener("click", () => {
    void attempt(async () => {
      const url = URL.createObjectURL(await api.content(video.id));
      const film = el("video", { controls: true, src: url, "aria-label": video.title });
      film.addEventListener("emptied", () => URL.revokeObjectURL(url), { once: true });
      stage.replaceChildren(film);
      button.remove();
      film.focus();
      // Where the browser can't, the controls are there.
      await film.play().catch(() => undefined);
    });
  });
  return button;
}

function publishButton(video: Video, signed: Signed): HTMLButtonElement {
  const publish = async () => {
    await signed.api.publish(video.id);
    notify(t("published", { title: video.title }));
    signed.refresh();
  };
  const label = t("publishTitle", { title: video.title });
  return el("button", { type: "button", "aria-label": label, click: () => void attempt(publish) }, t("publish"));
}
