import type { Unread, User } from "./api.ts";
import { el, field, notify, onSubmit, t } from "./dom.ts";
import { videoCards } from "./videos.ts";
import type { Signed, View } from "./view.ts";

const NEWEST = 5;

/** The home page: three calls side by side, for the profile, the newest videos, and what has not been read. */
export async function homeView(signed: Signed): Promise<View> {
  const [profile, { videos }, unread] = await Promise.all([signed.api.profile(), signed.api.videos(NEWEST), signed.api.unread()]);
  return {
    content: [
      profileSection(profile ?? signed.profile, signed),
      el("section", { "aria-labelledby": "newest" }, el("h2", { id: "newest" }, t("newestVideos")), videoCards(videos, signed)),
      unreadSection(unread),
    ],
  };
}

function profileSection(profile: User, signed: Signed): HTMLElement {
  const name = el("input", { name: "displayName", required: true, maxlength: "80", autocomplete: "name", value: profile.displayName });
  const form = onSubmit(el("form", {}, field("displayName", name), el("p", {}, el("button", {}, t("rename")))), async () => {
    const changed = await signed.api.rename(name.value);
    notify(t("saved"));
    signed.refresh(changed);
  });
  return el(
    "section",
    { "aria-labelledby": "profile" },
    el("h2", { id: "profile" }, t("profile")),
    el("p", { id: "profile-name" }, t("hello", { name: profile.displayName })),
    el("p", {}, `${t("email")}: ${profile.email ?? "–"} · ${t("role")}: ${t(profile.role === "admin" ? "moderator" : "member")}`),
    form,
  );
}

function unreadSection({ total, rooms }: Unread): HTMLElement {
  const items = rooms.map(({ id, name, unread }) => {
    return el("li", {}, el("a", { href: `#chat/${id}` }, t("unreadIn", { room: name, count: unread })));
  });
  return el(
    "section",
    { "aria-labelledby": "unread" },
    el("h2", { id: "unread" }, t("unread")),
    total === 0 ? el("p", {}, t("noUnread")) : el("ul", {}, ...items),
  );
}

/** For somebody who has an account and no profile yet. */
export function signUpView(signUp: (displayName: string) => Promise<void>): View {
  const name = el("input", { name: "displayName", required: true, maxlength: "80", autocomplete: "name" });
  const form = el("form", {}, field("displayName", name), el("p", {}, el("button", {}, t("join"))));
  return { content: [el("p", {}, t("signUpText")), onSubmit(form, () => signUp(name.value))] };
}

export function welcomeView(signIn: () => void): View {
  return { content: [el("p", {}, t("welcomeText")), el("p", {}, el("button", { type: "button", click: signIn }, t("signIn")))] };
}
