import { el, field, onSubmit, t } from "./dom.ts";
import type { Signed, View } from "./view.ts";

/** People by a part of their name. */
export function peopleView({ api }: Signed): View {
  const query = el("input", { name: "q", type: "search", maxlength: "80" });
  const count = el("p", { role: "status" });
  const list = el("ul");
  const form = el("form", { role: "search" }, field("searchPeople", query), el("p", {}, el("button", {}, t("search"))));
  onSubmit(form, async () => {
    const { users } = await api.searchUsers(query.value.trim());
    count.textContent = t("found", { count: users.length });
    list.replaceChildren(...users.map(({ displayName }) => el("li", {}, displayName)));
  });
  return { content: [form, count, list] };
}
