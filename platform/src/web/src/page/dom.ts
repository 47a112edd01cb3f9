import { type Language, type TextKey, textOf } from "./text.ts";

type Child = Node | string | undefined | false;
type Attributes = Readonly<Record<string, string | boolean | ((event: Event) => void) | undefined>>;

/** Makes an element. Text is text: nothing that people wrote is ever read as HTML. A function is a listener for the event of its name. */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (typeof value === "string") element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

/** Makes an element of a picture. */
export function svg(name: string, attributes: Readonly<Record<string, string>>, ...children: readonly SVGElement[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The page's element of that id. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${id}`);
  return element;
}

export function currentLanguage(): Language {
  return document.documentElement.lang === "ja" ? "ja" : "en";
}

/** A text in the page's language. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  return textOf(currentLanguage(), key, values);
}

/** A form's control under its label. */
export function field<Control extends HTMLElement>(key: TextKey, control: Control): HTMLLabelElement {
  return el("label", {}, t(key), control);
}

/** Calls when a form is sent, once at a time, and says what went wrong. */
export function onSubmit(form: HTMLFormElement, run: () => Promise<void>): HTMLFormElement {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    void attempt(run).finally(() => (form.ariaBusy = "false"));
  });
  return form;
}

/** Runs, and shows a failure in the notice. */
export async function attempt(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    notify(t("failed", { reason: error instanceof TypeError ? t("noAnswer") : error instanceof Error ? error.message : String(error) }));
  }
}

/** Says something to whoever sees or hears the page; with a link, where that may be mended. */
export function notify(text: string, link?: string): void {
  byId("notice", HTMLParagraphElement).replaceChildren(link === undefined ? text : el("a", { href: link }, text));
}

export function formatTime(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
}
