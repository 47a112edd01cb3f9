import type { Page } from "playwright-core";
import { expectShown, type Window } from "./browser.ts";

export async function expectHeading(page: Page, name: string): Promise<void> {
  await expectShown(page.getByRole("heading", { level: 1, name }));
}

export async function goTo(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
  await expectHeading(page, name);
}

/** From the welcome page, by the button of a demo user. */
export async function signInAs({ page }: Window, button: RegExp): Promise<void> {
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: button }).click();
  await expectShown(page.getByRole("button", { name: "Sign out" }));
}

export async function signUp(page: Page, name: string): Promise<void> {
  await expectHeading(page, "Sign up");
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
  await expectHeading(page, "Home");
}

export async function uploadFilm(
  page: Page,
  { title, description, content }: { readonly title: string; readonly description: string; readonly content: Buffer },
): Promise<void> {
  await goTo(page, "Upload");
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Description").fill(description);
  await page.getByLabel(/^File/).setInputFiles({ name: "film.webm", mimeType: "video/webm", buffer: content });
  await page.getByRole("main").getByRole("button", { name: "Upload" }).click();
  await expectShown(page.getByText(`“${title}” is uploaded.`));
}
