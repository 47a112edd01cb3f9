import type { Page } from "playwright-core";
import { expectShown } from "./browser.ts";
import { waitFor } from "./wait.ts";

/** Waits until a film is seen to run. */
export async function expectPlays(page: Page, title: string): Promise<void> {
  const film = page.locator(`video[aria-label="${title}"]`);
  await expectShown(film);
  const seconds = () => film.evaluate((element) => (element as unknown as { currentTime: number }).currentTime);
  await waitFor("the film runs", async () => (await seconds()) > 0);
}

/** Half a second of moving colours, recorded by the browser itself. */
export async function makeFilm(page: Page): Promise<Buffer> {
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

/** Runs in the page: plays a film, and resolves with how many seconds it was when it ended. */
export const PLAY_TO_END = `async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const film = document.createElement("video");
  film.muted = true;
  film.playbackRate = 4;
  film.src = URL.createObjectURL(new Blob([bytes], { type: "video/webm" }));
  const ended = new Promise((resolve, reject) => {
    film.addEventListener("ended", resolve);
    film.addEventListener("error", () => reject(new Error(film.error.message)));
  });
  await film.play();
  await ended;
  return film.currentTime;
}`;
