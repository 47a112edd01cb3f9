import { expect, test } from "vitest";
import { diagnostic } from "../model/diagnostic.ts";
import { toMissingImages } from "./missing-images.ts";

const resource = { kind: "Deployment", namespace: "shop", name: "users" };

test("images without a command are named with the lines for kumiko.yaml", () => {
  const found = diagnostic("KMK2010", { message: "image a/b has no command", help: "add images: …", resource });
  const { message, help } = toMissingImages([found], ["a/b:1"], "/mesh");
  expect(message).toContain("image a/b has no command\nto be added to /mesh/kumiko.yaml");
  expect(message).toContain('"a/b":\n    command: [');
  expect(help).toContain("kumiko up /mesh --init");
});

test("a program of an image that has a command is told with what to add, and with no empty list of images", () => {
  const help = 'add images: { "a/b": { programs: { "/app/main": [...] } } } to kumiko.yaml';
  const found = diagnostic("KMK2010", { message: "/app/main of image a/b is no program of this machine", help, resource });
  const error = toMissingImages([found], [], "/mesh");
  expect(error.message).toBe("/app/main of image a/b is no program of this machine");
  expect(error.help).toBe(help);
});
