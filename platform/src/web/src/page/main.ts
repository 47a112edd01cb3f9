import { Api, type User } from "./api.ts";
import { chatView } from "./chat.ts";
import { attempt, byId, currentLanguage, el, notify, t } from "./dom.ts";
import { homeView, signUpView, welcomeView } from "./home.ts";
import { discoveryUrl, type OidcSettings, SignInError, type Tokens } from "./oidc.ts";
import { peopleView } from "./people.ts";
import { forget, readSettings, resumeSession, signOut, startSignIn } from "./session.ts";
import { type Language, preferredLanguage, type TextKey } from "./text.ts";
import { uploadView } from "./upload.ts";
import { moderationView, videosView } from "./videos.ts";
import type { Signed, View } from "./view.ts";

const LANGUAGE = "language";
const PAGES = {
  home: homeView,
  videos: videosView,
  upload: uploadView,
  people: peopleView,
  chat: chatView,
  moderation: moderationView,
} as const satisfies Partial<Record<TextKey, (signed: Signed, part: string | undefined) => View | Promise<View>>>;

const content = byId("content", HTMLElement);
const language = byId("language", HTMLSelectElement);
const signInButton = byId("sign-in", HTMLButtonElement);
const signOutButton = byId("sign-out", HTMLButtonElement);

let settings: OidcSettings;
let tokens: Tokens | undefined;
let profile: User | undefined;
let api: Api | undefined;
let shown: View | undefined;
/** Counts what was asked to be shown, so that a slow answer does not take the place of a later one. */
let asked = 0;

function setLanguage(chosen: Language): void {
  document.documentElement.lang = chosen;
  language.value = chosen;
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) element.textContent = t(element.dataset["text"] as TextKey);
  for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) element.ariaLabel = t(element.dataset["label"] as TextKey);
}

function place(): readonly [keyof typeof PAGES, string | undefined] {
  const [name = "", part] = location.hash.slice(1).split("/");
  // The API refuses it to everyone else; this only keeps a page away that has nothing to show.
  const isThere = Object.hasOwn(PAGES, name) && (name !== "moderation" || profile?.role === "admin");
  return [isThere ? (name as keyof typeof PAGES) : "home", part];
}

function onEnded(): void {
  if (tokens === undefined) return;
  [tokens, profile, api] = [undefined, undefined, undefined];
  forget();
  notify(t("sessionEnded"));
  void show();
}

const signIn = () => void startSignIn(settings, { language: currentLanguage() }).catch(sayWhyNot);

function sayWhyNot(error: unknown): void {
  // A browser that does not trust the provider's certificate doesn't say so: whoever follows the link sees it.
  if (error instanceof SignInError && error.code === "away") {
    return notify(t("providerAway", { url: settings.identityProvider }), discoveryUrl(settings));
  }
  notify(t("signInFailed", { reason: error instanceof Error ? error.message : String(error) }));
}

async function viewNow(): Promise<readonly [TextKey, View]> {
  if (tokens === undefined || api === undefined) return ["welcome", welcomeView(signIn)];
  const known = (profile ??= await api.profile());
  const own = api;
  if (known === undefined) {
    const signUp = async (displayName: string) => {
      profile = await own.signUp(displayName);
      await show();
    };
    return ["signUp", signUpView(signUp)];
  }
  const refresh = (changed?: User) => {
    profile = changed ?? profile;
    void show();
  };
  const [page, part] = place();
  return [page, await PAGES[page]({ api, profile: known, accessToken: tokens.accessToken, refresh, onEnded }, part)];
}

/** Shows what the address names; the focus goes to its heading, so that a screen reader says where it is. */
async function show({ focus = true } = {}): Promise<void> {
  const number = ++asked;
  await attempt(async () => {
    const [title, view] = await viewNow();
    if (number !== asked) return view.close?.();
    shown?.close?.();
    shown = view;
    const heading = el("h1", { tabindex: "-1" }, t(title));
    content.replaceChildren(heading, ...view.content);
    document.title = `${t(title)} · Kigumi`;
    byNavigation();
    if (focus) heading.focus();
  });
}

function byNavigation(): void {
  const navigation = document.querySelector("nav");
  if (navigation !== null) navigation.hidden = profile === undefined;
  byId("moderation", HTMLLIElement).hidden = profile?.role !== "admin";
  signInButton.hidden = tokens !== undefined;
  signOutButton.hidden = tokens === undefined;
  for (const link of document.querySelectorAll("nav a")) link.toggleAttribute("aria-current", false);
  const current = document.querySelector(`nav a[href="#${place()[0]}"]`);
  current?.setAttribute("aria-current", "page");
}

async function start(): Promise<void> {
  const stored = localStorage.getItem(LANGUAGE);
  setLanguage(preferredLanguage(stored === null ? [document.documentElement.lang] : [stored]));
  language.addEventListener("change", () => {
    localStorage.setItem(LANGUAGE, language.value);
    setLanguage(language.value === "ja" ? "ja" : "en");
    void show({ focus: false });
  });
  settings = await readSettings();
  signInButton.addEventListener("click", signIn);
  signOutButton.addEventListener("click", () => void attempt(() => signOut(settings, currentLanguage())));
  addEventListener("hashchange", () => {
    notify("");
    void show();
  });
  try {
    const resumed = await resumeSession(settings, currentLanguage());
    if (resumed === "leaving") return;
    tokens = resumed;
  } catch (error) {
    sayWhyNot(error);
  }
  if (tokens !== undefined) api = new Api({ accessToken: tokens.accessToken, onEnded });
  await show({ focus: tokens !== undefined });
}

await attempt(start);
