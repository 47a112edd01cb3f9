import { movieOf, movies } from "@platform/demo";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible, expectShown, openBrowser, openWindow, whyNoBrowser, type Window } from "./harness/browser.ts";
import { expectPlays, makeFilm, PLAY_TO_END } from "./harness/films.ts";
import { expectHeading, goTo, signInAs, signUp, uploadFilm } from "./harness/page.ts";
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
      await uploadFilm(bob.page, { title: "Lattice without nails", description: "釘のない格子", content: await makeFilm(bob.page) });
      await goTo(bob.page, "Videos");
      await bob.page.getByRole("button", { name: "Publish “Lattice without nails”" }).click();
      await expectShown(bob.page.getByText("“Lattice without nails” is published."));
      await goTo(alice.page, "Videos");
      await expectShown(alice.page.getByText("釘のない格子"));
      expect(await alice.page.getByRole("button", { name: /^Publish/ }).count()).toBe(0);
      await alice.page.getByRole("button", { name: "Play “Lattice without nails”" }).click();
      await expectPlays(alice.page, "Lattice without nails");
    });

    test("a member's film waits for a moderator, who looks at it and publishes it; a member has no such page", async () => {
      await uploadFilm(alice.page, { title: "A dovetail drawer", description: "", content: movieOf("A dovetail drawer", 20_000) });
      await goTo(alice.page, "Videos");
      const own = alice.page.getByRole("listitem").filter({ hasText: "A dovetail drawer" });
      await expectShown(own.getByText("Status: waits for a moderator"));
      expect(await alice.page.getByRole("link", { name: "Moderation" }).count()).toBe(0);
      await alice.page.goto(`${home}#moderation`);
      await expectHeading(alice.page, "Home");

      await goTo(bob.page, "Moderation");
      const waiting = bob.page.getByRole("main").getByRole("listitem").filter({ hasText: "A dovetail drawer" });
      await expectShown(waiting.getByText(/^by Alice Aoki/));
      await expectAccessible(bob.page);
      await waiting.getByRole("button", { name: "Play “A dovetail drawer”" }).click();
      await expectPlays(bob.page, "A dovetail drawer");
      await waiting.getByRole("button", { name: "Publish “A dovetail drawer”" }).click();
      await expectShown(bob.page.getByText("Nothing waits for a decision."));
      await goTo(alice.page, "Videos");
      expect(await own.getByText(/Status/).count()).toBe(0);
      expect(await own.locator(".stage svg").count()).toBe(1);
    });

    test("what is taken down is its owner's alone", async () => {
      await goTo(bob.page, "Videos");
      await bob.page.getByRole("button", { name: "Take down “A dovetail drawer”" }).click();
      await expectShown(bob.page.getByText("“A dovetail drawer” is taken down."));
      await waitFor("it is gone from the list", async () => (await bob.page.getByText("A dovetail drawer", { exact: true }).count()) === 0);
      await goTo(alice.page, "Home");
      await goTo(alice.page, "Videos");
      await expectShown(alice.page.getByText("Status: taken down"));
    });

    test("every film of the demo data plays", async () => {
      const { page } = await open();
      await expectHeading(page, "Welcome");
      const films = movies.map(({ title, sizeBytes }) => movieOf(title, sizeBytes).toString("base64"));
      const seconds = (await page.evaluate(`Promise.all(${JSON.stringify(films)}.map(${PLAY_TO_END}))`)) as number[];
      expect(seconds).toHaveLength(movies.length);
      expect(Math.min(...seconds)).toBeGreaterThan(2.5);
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
    const said = ["Which wood?", "檜です", "see https://wood.example/joints?a=1&b=<b>, or javascript:alert(1)"];
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

    test("one's own messages look different from the other's", async () => {
      const own = (window: Window) => window.page.locator(".message.own > p:last-child").allTextContents();
      expect([await own(alice), await own(bob)]).toEqual([["Which wood?"], ["檜です"]]);
      const sides = await alice.page
        .locator(".message")
        .evaluateAll((items) =>
          items.map((item) => (item as unknown as { getBoundingClientRect(): { x: number } }).getBoundingClientRect().x),
        );
      expect(sides[0]).toBeGreaterThan(sides[1] ?? Infinity);
    });

    test("a link in a message can be followed, and tells the other side nothing", async () => {
      await say(alice, "see https://wood.example/joints?a=1&b=<b>, or javascript:alert(1)");
      const link = bob.page.getByRole("log").getByRole("link");
      await expectShown(link);
      expect([await link.count(), await link.textContent(), await link.getAttribute("href")]).toEqual([
        1,
        "https://wood.example/joints?a=1&b=",
        "https://wood.example/joints?a=1&b=",
      ]);
      expect([await link.getAttribute("rel"), await link.getAttribute("target")]).toEqual(["noopener noreferrer", "_blank"]);
    });

    test("the field for a message is as wide as the room, and on a phone the room comes first", async () => {
      const boxOf = async (selector: string) => (await alice.page.locator(selector).boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
      const [log, form, field] = [await boxOf(".log"), await boxOf(".say"), await boxOf(".say input")];
      expect(form.width).toBeCloseTo(log.width, 0);
      expect(field.width).toBeGreaterThan(log.width * 0.75);
      await alice.page.setViewportSize({ width: 390, height: 844 });
      expect(await alice.page.locator(".rooms").isVisible()).toBe(false);
      expect((await boxOf(".say input")).y).toBeLessThan(844);
      expect(await alice.page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
      await expectAccessible(alice.page);
      await alice.page.getByRole("link", { name: "All rooms" }).click();
      await expectShown(alice.page.locator(".rooms"));
      await alice.page.getByRole("link", { name: /^Joinery/ }).click();
      await expectShown(alice.page.getByText("Connected", { exact: true }));
      await alice.page.setViewportSize({ width: 1280, height: 720 });
      expect(await alice.page.locator(".rooms").isVisible()).toBe(true);
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
      expect(await messages(bob)).toEqual([...said, ATTACK, "Are you there?"]);
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
      const all = [...said, ATTACK, "Are you there?", "said while nobody listened", "still here"];
      expect([await messages(alice), await messages(bob)]).toEqual([all, all]);
    });
  });

  describe("the API under another name than the page's", () => {
    const list = () => `https://video.localhost:${platform.env["PLATFORM_EDGE_PORT"]}/api/v1/videos`;
    const fetchFrom = async (address: string) => {
      // The page's own policy keeps it to its own host; here the API's answer to browsers is looked at.
      const { page } = await open({ bypassCSP: true });
      await page.goto(address);
      const headers = { authorization: `Bearer ${await platform.token("alice")}` };
      return await page.evaluate(
        `fetch("${list()}", { headers: ${JSON.stringify(headers)} }).then(async (answer) => [answer.status, typeof (await answer.json()).videos], String)`,
      );
    };

    test("the page may call it: the browser asks first, and reads the answer", async () => {
      expect(await fetchFrom(home)).toEqual([200, "object"]);
    });

    test("another page may not", async () => {
      const elsewhere = `https://idp.localhost:${platform.env["PLATFORM_IDENTITY_PORT"]}/jwks`;
      expect(await fetchFrom(elsewhere)).toMatch(/^TypeError/);
      const headers = { origin: "https://evil.example.org", "access-control-request-method": "GET" };
      const answer = await platform.api("https://video.example.com/api/v1/videos", { method: "OPTIONS", headers });
      expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([403, undefined]);
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

    test.each([
      { locale: "ja-JP", signIn: "サインイン", register: "アカウント登録", missing: "ページが見つかりません" },
      { locale: "en-GB", signIn: "Sign in", register: "Register", missing: "There is no such page" },
    ])(
      "the provider's pages and the one for a wrong address are in $locale, and pass axe's rules",
      async ({ locale, signIn, register, missing }) => {
        for (const colorScheme of ["light", "dark"] as const) {
          const { page } = await open({ locale, colorScheme });
          await page.getByRole("main").getByRole("button", { name: signIn }).click();
          await page.waitForURL(/\/interaction\//);
          await expectHeading(page, signIn);
          await expectAccessible(page);
          await page.getByRole("link").click();
          await expectHeading(page, register);
          await expectAccessible(page);
          const answer = await page.goto(`${home}nope/nothing?a=b`);
          expect(answer?.status()).toBe(404);
          await expectHeading(page, missing);
          await expectAccessible(page);
        }
      },
    );

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
    await expectHeading(page, "Sign out");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Yes, sign me out" }).click();
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
