import { el, field, notify, onSubmit, t } from "./dom.ts";
import type { Signed, View } from "./view.ts";

const MAX_BYTES = 16 * 1024 ** 2;
const TYPES = ["video/mp4", "video/webm"];

/** Makes a video and uploads its content. */
export function uploadView({ api }: Signed): View {
  const title = el("input", { name: "title", required: true, maxlength: "120" });
  const description = el("textarea", { name: "description", rows: "3", maxlength: "5000" });
  const file = el("input", { name: "file", type: "file", required: true, accept: TYPES.join(",") });
  const form = el(
    "form",
    {},
    field("title", title),
    field("description", description),
    field("file", file),
    el("p", {}, el("button", {}, t("upload"))),
  );
  file.addEventListener("change", () => file.setCustomValidity(wrongWith(file.files?.[0])));
  onSubmit(form, async () => {
    const [content] = file.files ?? [];
    if (content === undefined) return;
    notify(t("uploading"));
    const video = await api.createVideo(title.value, description.value);
    await api.upload(video.id, content);
    notify(t("uploaded", { title: video.title }));
    form.reset();
  });
  return { content: [form] };
}

function wrongWith(file: File | undefined): string {
  if (file === undefined) return "";
  if (!TYPES.includes(file.type)) return t("fileWrong");
  return file.size > MAX_BYTES ? t("fileTooLarge") : "";
}
