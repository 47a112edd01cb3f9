import type { Video } from "./api.ts";
import { attempt, el, formatTime, notify, svg, t } from "./dom.ts";
import { posterOf } from "./poster.ts";
import type { Signed, View } from "./view.ts";

const PAGE = 12;

/** All videos that the person may see, a page at a time. */
export async function videosView(signed: Signed): Promise<View> {
  const { list, more } = await pagedCards(signed, (after) => signed.api.videos(PAGE, after));
  return { content: [list.childElementCount === 0 ? el("p", {}, t("noVideos")) : list, more] };
}

/** What waits for a moderator, the longest waiting first, a page at a time. */
export async function moderationView(signed: Signed): Promise<View> {
  const { list, more } = await pagedCards(signed, (after) => signed.api.moderationQueue(PAGE, after));
  return { content: [el("p", {}, t(list.childElementCount === 0 ? "nothingWaits" : "whatWaits")), list, more] };
}

/** The first page of a list, and a button that brings the next ones. */
async function pagedCards(
  signed: Signed,
  pageAt: (after: string | undefined) => Promise<{ readonly videos: readonly Video[]; readonly next: string | null }>,
): Promise<{ readonly list: HTMLElement; readonly more: HTMLElement }> {
  const list = el("ul", { class: "cards" });
  const button = el("button", { type: "button" }, t("more"));
  let next: string | undefined;
  const load = async () => {
    const page = await pageAt(next);
    list.append(...page.videos.map((video) => card(video, signed, "h2")));
    next = page.next ?? undefined;
    button.hidden = next === undefined;
  };
  button.addEventListener("click", () => void attempt(load));
  await load();
  return { list, more: el("p", {}, button) };
}

export function videoCards(videos: readonly Video[], signed: Signed): HTMLElement {
  if (videos.length === 0) return el("p", {}, t("noVideos"));
  return el("ul", { class: "cards" }, ...videos.map((video) => card(video, signed, "h3")));
}

/** A video with its picture, what is known of it, and what the person may do with it. */
function card(video: Video, signed: Signed, heading: "h2" | "h3"): HTMLLIElement {
  const stage = el("div", { class: "stage" }, poster(video.id));
  return el(
    "li",
    {},
    stage,
    el(heading, {}, video.title),
    el("p", { class: "by" }, t("by", { name: video.ownerName ?? video.owner }), " · ", formatTime(video.createdAt)),
    video.description !== "" && el("p", {}, video.description),
    video.status !== "published" && el("p", {}, `${t("status")}: ${t(statusOf(video))}`),
    el("p", { class: "line" }, video.content !== null && playButton(video, stage, signed), ...decisions(video, signed)),
  );
}

/** In words that say what happens next. */
function statusOf({ status, content }: Video): "taken-down" | "draft" | "waitsForModerator" {
  if (status === "taken-down") return "taken-down";
  return content === null ? "draft" : "waitsForModerator";
}

function poster(id: string): SVGElement {
  const { hue, tile, path, turn } = posterOf(id);
  const pattern = `lattice-${crypto.randomUUID()}`;
  const strips = svg("path", { d: path, fill: "none", stroke: `hsl(${hue} 35% 86%)`, "stroke-width": "1.6" });
  const frame = { width: "160", height: "90" };
  return svg(
    "svg",
    { viewBox: "0 0 160 90", "aria-hidden": "true", focusable: "false" },
    svg(
      "defs",
      {},
      svg(
        "pattern",
        { id: pattern, width: `${tile}`, height: `${tile}`, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${turn})` },
        strips,
      ),
    ),
    svg("rect", { ...frame, fill: `hsl(${hue} 42% 28%)` }),
    svg("rect", { ...frame, fill: `url(#${pattern})` }),
  );
}

function playButton(video: Video, stage: HTMLElement, { api }: Signed): HTMLButtonElement {
  const button = el("button", { type: "button", "aria-label": t("playTitle", { title: video.title }) }, t("play"));
  button.addEventListener("click", () => {
    void attempt(async () => {
      const url = URL.createObjectURL(await api.content(video.id));
      const film = el("video", { controls: true, src: url, "aria-label": video.title });
      film.addEventListener("emptied", () => URL.revokeObjectURL(url), { once: true });
      film.addEventListener("error", () => notify(t("cannotPlay", { title: video.title })), { once: true });
      stage.replaceChildren(film);
      button.remove();
      film.focus();
      // Where the browser can't, the controls are there.
      await film.play().catch(() => undefined);
    });
  });
  return button;
}

/** What a moderator may do: publish what waits, take down what waits or is published. */
function decisions(video: Video, signed: Signed): readonly HTMLButtonElement[] {
  if (signed.profile.role !== "admin" || video.content === null || video.status === "taken-down") return [];
  const { title } = video;
  const decide = (run: () => Promise<unknown>, said: string) => () =>
    void attempt(async () => {
      await run();
      notify(said);
      signed.refresh();
    });
  const publish = decide(() => signed.api.publish(video.id), t("published", { title }));
  const takeDown = decide(() => signed.api.takeDown(video.id), t("tookDown", { title }));
  const buttons = [
    el("button", { type: "button", class: "plain", "aria-label": t("takeDownTitle", { title }), click: takeDown }, t("takeDown")),
  ];
  if (video.status === "published") return buttons;
  return [el("button", { type: "button", "aria-label": t("publishTitle", { title }), click: publish }, t("publish")), ...buttons];
}
