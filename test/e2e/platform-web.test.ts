import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible, expectShown, openBrowser, openWindow, whyNoBrowser, type Window } from "./harness/browser.ts";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { findProcesses } from "./harness/traces.ts";
import { waitFor } from "./harness/wait.ts";

const lacking = whyNoBrowser();
if (lacking !== undefined) process.stderr.write(`skipped: ${lacking}\n`);

/** Shows itself by a dialog, or as an element, where it is taken for HTML. */
const ATTACK = `<img src=x onerror=alert(1)><script>alert(2)</script>"'>`;

describe.skipIf(lacking !== undefined)("the web page, in a browser", () => {
  let platform: Platform;
  let browser: Browser;
  let home: string;
  let alice: Window;
  let bob: Window;
  const windows: Window[] = [];

  const open = async (options: Parameters<typeof openWindow>[1] = {}) => {
    const window = await openWindow(browser, options);
    windows.push(window);
    await window.page.goto(home);
    return window;
  };
  const expectHeading = (page: Page, name: string) => expectShown(page.getByRole("heading", { level: 1, name }));
  const goTo = async (page: Page, name: string) => {
    await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
    await expectHeading(page, name);
  };
  const signInAs = async ({ page }: Window, button: RegExp) => {
    await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: button }).click();
    await expectShown(page.getByRole("button", { name: "Sign out" }));
  };
  const signUp = async (page: Page, name: string) => {
    await expectHeading(page, "Sign up");
    await page.getByLabel("Name").fill(name);
    await page.getByRole("button", { name: "Join" }).click();
    await expectHeading(page, "Home");
  };

  beforeAll(async () => {
    platform = await copyPlatform({ withTestWorkloads: false });
    await platform.start();
    home = `https://user.localhost:${platform.env["PLATFORM_EDGE_PORT"]}/`;
    browser = await openBrowser(platform);
  });

  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
    platform?.remove();
  });

  describe("before signing in", () => {
    test("it is in the language that the browser prefers, and a switch changes it for good", async () => {
      const { page } = await open({ locale: "ja-JP" });
      await expectHeading(page, "ようこそ");
      expect([await page.locator("html").getAttribute("lang"), await page.title()]).toEqual(["ja", "ようこそ · Kigumi"]);
      await page.getByLabel("言語").selectOption("en");
      await expectHeading(page, "Welcome");
      await page.reload();
      await expectHeading(page, "Welcome");
      expect(await page.locator("html").getAttribute("lang")).toBe("en");
    });

    test.each([
      { title: "another state", query: "code=abc&state=forged&iss=https%3A%2F%2Fidp.platform.internal" },
      { title: "a refusal that nobody asked for", query: "error=access_denied&state=forged&iss=https%3A%2F%2Fidp.platform.internal" },
    ])("an answer of the provider with $title signs nobody in", async ({ query }) => {
      const { page } = await open();
      await page.goto(`${home}?${query}`);
      await expectShown(page.getByText("Signing in did not work: the answer is to another question"));
      await expectHeading(page, "Welcome");
      expect(page.url()).toBe(home);
    });
  });

  describe("somebody new", () => {
    test("signs in with a demo account, signs up, and sees the home page", async () => {
      alice = await open();
      await signInAs(alice, /Alice/);
      await signUp(alice.page, "Alice");
      await expectShown(alice.page.getByText("Hello, Alice", { exact: true }));
    });

    test("the home page comes of three calls: profile, newest videos, unread messages", async () => {
      const before = alice.calls.length;
      await goTo(alice.page, "Videos");
      const between = alice.calls.length;
      await goTo(alice.page, "Home");
      expect(alice.calls.slice(before, between)).toEqual(["GET /api/v1/videos"]);
      expect(alice.calls.slice(between).toSorted()).toEqual(["GET /api/v1/chat/unread", "GET /api/v1/users/me", "GET /api/v1/videos"]);
    });

    test("registers with the provider", async () => {
      const window = await open();
      const { page } = window;
      await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("link", { name: /Register/ }).click();
      await page.getByLabel("User name").fill("goro");
      await page.getByLabel("Name", { exact: true }).fill("Goro Doi");
      await page.getByLabel("Email").fill("goro@example.com");
      await page.getByLabel(/^Password/).fill("correct horse battery");
      await page.getByRole("button", { name: "Register and sign in" }).click();
      await signUp(page, "土井 五郎");
      await expectShown(page.getByText("Hello, 土井 五郎", { exact: true }));
    });

    test("tokens are in no storage, no cookie and no address; a reload keeps somebody signed in", async () => {
      const stored = async () =>
        (await alice.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")) as string;
      expect(await stored()).not.toMatch(/eyJ|access|id_token|verifier/);
      expect(await alice.context.storageState()).toMatchObject({
        cookies: expect.not.arrayContaining([expect.objectContaining({ domain: "user.localhost" })]) as unknown,
      });
      await goTo(alice.page, "People");
      await alice.page.reload();
      await expectHeading(alice.page, "People");
      expect(await stored()).not.toMatch(/eyJ|access|id_token|verifier|code=/);
    });

    test("finds people by a part of their name, and changes the own name; names are text", async () => {
      const { page } = alice;
      await page.getByLabel("Part of a name").fill("土井");
      await page.getByRole("button", { name: "Search" }).click();
      await expectShown(page.getByText("1 found"));
      await expectShown(page.getByRole("listitem").filter({ hasText: "土井 五郎" }));
      await goTo(page, "Home");
      await page.getByLabel("Name").fill("Alice <b>Arai</b>");
      await page.getByRole("button", { name: "Change the name" }).click();
      await expectShown(page.getByText("Hello, Alice <b>Arai</b>", { exact: true }));
    });
  });

  describe("videos", () => {
    test("a film is uploaded and published by a moderator, and another one plays it", async () => {
      bob = await open();
      await signInAs(bob, /Bob/);
      await signUp(bob.page, "Bob");
      await goTo(bob.page, "Upload");
      await bob.page.getByLabel("Title").fill("Lattice without nails");
      await bob.page.getByLabel("Description").fill("釘のない格子");
      const buffer = await makeFilm(bob.page);
      await bob.page.getByLabel(/^File/).setInputFiles({ name: "film.webm", mimeType: "video/webm", buffer });
      await bob.page.getByRole("main").getByRole("button", { name: "Upload" }).click();
      await expectShown(bob.page.getByText("“Lattice without nails” is uploaded."));
      await goTo(bob.page, "Videos");
      await bob.page.getByRole("button", { name: "Publish “Lattice without nails”" }).click();
      await expectShown(bob.page.getByText("“Lattice without nails” is published."));
      await goTo(alice.page, "Videos");
      await expectShown(alice.page.getByText("釘のない格子"));
      expect(await alice.page.getByRole("button", { name: /^Publish/ }).count()).toBe(0);
      await alice.page.getByRole("button", { name: "Play “Lattice without nails”" }).click();
      const film = alice.page.locator("video");
      await expectShown(film);
      const seconds = () => alice.page.evaluate("document.querySelector('video').currentTime") as Promise<number>;
      await waitFor("the film runs", async () => (await seconds()) > 0);
    });

    test("a file of another type is refused before it is sent", async () => {
      await goTo(alice.page, "Upload");
      const before = alice.calls.length;
      await alice.page.getByLabel("Title").fill("No film");
      await alice.page.getByLabel(/^File/).setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("no film") });
      await alice.page.getByRole("main").getByRole("button", { name: "Upload" }).click();
      expect(await alice.page.locator("input:invalid").count()).toBe(1);
      expect(alice.calls.slice(before)).toEqual([]);
    });
  });

  describe("two windows chat", () => {
    const say = async ({ page }: Window, text: string) => {
      await page.getByLabel("Message", { exact: true }).fill(text);
      await page.getByRole("button", { name: "Send" }).click();
    };
    const messages = ({ page }: Window) => page.getByRole("log", { name: "Messages" }).locator(".message > p:last-child").allTextContents();
    const hears = (window: Window, text: string) => expectShown(window.page.getByRole("log").getByText(text, { exact: true }));

    test("both are there, and each reads what the other says", async () => {
      await goTo(alice.page, "Chat");
      await alice.page.getByLabel("New room").fill("Joinery");
      await alice.page.getByRole("button", { name: "Create" }).click();
      await expectShown(alice.page.getByRole("heading", { level: 2, name: "Joinery" }));
      await goTo(bob.page, "Chat");
      await bob.page.getByRole("link", { name: /^Joinery/ }).click();
      for (const { page } of [alice, bob]) {
        await expectShown(page.getByText("Connected", { exact: true }));
        await expectShown(page.getByText(/^Here now: .*Alice.*Bob|^Here now: .*Bob.*Alice/));
      }
      await say(alice, "Which wood?");
      await hears(bob, "Which wood?");
      await say(bob, "檜です");
      await hears(alice, "檜です");
    });

    test("what is written is shown as text, never as HTML", async () => {
      await say(alice, ATTACK);
      await hears(bob, ATTACK);
      expect(await bob.page.locator("main img, main script").count()).toBe(0);
    });

    test("what has been read is not unread; what is said later is, on the home page", async () => {
      const unread = (name: string | RegExp) => bob.page.getByRole("main").getByRole("link", { name });
      const lookAtHome = async () => {
        await goTo(bob.page, "Videos");
        await goTo(bob.page, "Home");
      };
      await waitFor("all of the room counts as read", async () => (await lookAtHome(), (await unread(/^Joinery/).count()) === 0));
      await say(alice, "Are you there?");
      await hears(alice, "Are you there?");
      await expectShown(alice.page.getByText(/^Here now: [^,]*$/));
      await waitFor("one is unread", async () => (await lookAtHome(), (await unread("Joinery: 1").count()) === 1));
      await unread("Joinery: 1").click();
      await expectShown(bob.page.getByText("Connected", { exact: true }));
    });

    test("a reload brings the history back", async () => {
      await bob.page.reload();
      await expectShown(bob.page.getByText("Connected", { exact: true }));
      expect(await messages(bob)).toEqual(["Which wood?", "檜です", ATTACK, "Are you there?"]);
    });

    test("every replica of the chat is killed: both connect again, and nothing is lost or doubled", async () => {
      const before = findProcesses(platform.mesh().pid, "chat-service/src/main.ts");
      expect(before.length).toBeGreaterThan(1);
      for (const pid of before) process.kill(pid, "SIGKILL");
      await expectShown(alice.page.getByText(/The connection broke/));
      await say(alice, "said while nobody listened");
      for (const { page } of [alice, bob]) await page.getByText("Connected", { exact: true }).waitFor({ timeout: 60_000 });
      await hears(bob, "said while nobody listened");
      await say(bob, "still here");
      await hears(alice, "still here");
      const all = ["Which wood?", "檜です", ATTACK, "Are you there?", "said while nobody listened", "still here"];
      expect([await messages(alice), await messages(bob)]).toEqual([all, all]);
    });
  });

  describe("for everyone", () => {
    test.each(["light", "dark"] as const)("each page passes axe's rules, %s, in both languages", async (colorScheme) => {
      await alice.page.emulateMedia({ colorScheme });
      for (const language of ["ja", "en"] as const) {
        await alice.page.locator("#language").selectOption(language);
        for (const hash of ["home", "videos", "upload", "people", "chat"]) {
          await alice.page.locator(`nav a[href="#${hash}"]`).click();
          await expectShown(alice.page.locator(`nav a[href="#${hash}"][aria-current="page"]`));
          await expectAccessible(alice.page);
        }
        await alice.page.getByRole("link", { name: /^Joinery/ }).click();
        await expectShown(alice.page.getByRole("log"));
        await expectAccessible(alice.page);
      }
      const welcome = await open({ colorScheme });
      await expectHeading(welcome.page, "Welcome");
      await expectAccessible(welcome.page);
    });

    test("the keyboard is enough: past the header, and the focus follows to the page that was chosen", async () => {
      const { page } = alice;
      const focused = () => page.evaluate("document.activeElement.textContent") as Promise<string>;
      await page.locator('nav a[href="#videos"]').focus();
      await page.keyboard.press("Enter");
      await expectHeading(page, "Videos");
      expect(await focused()).toBe("Videos");
      await page.locator(".skip").focus();
      expect((await page.locator(".skip").boundingBox())?.x).toBeGreaterThanOrEqual(0);
    });
  });

  test("signing out ends the session at the provider too", async () => {
    const { page } = alice;
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: /sign me out/i }).click();
    await expectHeading(page, "Welcome");
    await page.reload();
    await expectHeading(page, "Welcome");
    await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
    await expectShown(page.getByRole("button", { name: /Alice/ }));
  });

  test("nothing was done that the page's policy forbids, and nothing failed unseen", () => {
    expect(windows.length).toBeGreaterThan(5);
    expect(windows.flatMap(({ faults }) => faults)).toEqual([]);
  });
});

/** Half a second of moving colours, recorded by the browser itself. */
async function makeFilm(page: Page): Promise<Buffer> {
  const base64 = (await page.evaluate(`(async () => {
    const canvas = document.createElement("canvas");
    const paint = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
    const parts = [];
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve));
    recorder.start();
    for (let frame = 0; frame < 12; frame++) {
      paint.fillStyle = "hsl(" + frame * 30 + " 80% 50%)";
      paint.fillRect(0, 0, canvas.width, canvas.height);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    recorder.stop();
    await ended;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  })()`)) as string;
  return Buffer.from(base64, "base64");
}
