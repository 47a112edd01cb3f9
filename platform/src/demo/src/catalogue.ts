/** Who there is, beside the provider's own demo users. */
export const people: readonly { readonly user: string; readonly name: string }[] = [
  { user: "demo-daichi", name: "Daichi 大地" },
  { user: "demo-emi", name: "Emi 恵美" },
  { user: "demo-fumio", name: "Fumio 文雄" },
  { user: "demo-grace", name: "Grace Lindqvist" },
  { user: "demo-haruka", name: "Haruka 遥" },
  { user: "demo-isamu", name: "Isamu 勇" },
  { user: "demo-jonas", name: "Jonas Weber" },
  { user: "demo-kaori", name: "Kaori 香織" },
  { user: "demo-liam", name: "Liam Byrne" },
  { user: "demo-mei", name: "Mei 芽依" },
  { user: "demo-naoki", name: "Naoki 直樹" },
  { user: "demo-olga", name: "Olga Marin" },
  { user: "demo-priya", name: "Priya Nair" },
  { user: "demo-rin", name: "Rin 凛" },
  { user: "demo-satoshi", name: "Satoshi 聡" },
  { user: "demo-teo", name: "Teo Rossi" },
];

const subjects = ["Asanoha lattice", "Shippo lattice", "Goma pattern", "Kikyo pattern", "A shoji door", "A dovetail drawer"];
const views = ["without nails", "with hand tools", "in an afternoon", "from cedar"];

/** Small files, each of another length, so that ranges end at different places. */
export const movies: readonly { readonly title: string; readonly sizeBytes: number }[] = subjects.flatMap((subject, row) =>
  views.map((view, column) => ({ title: `${subject} ${view}`, sizeBytes: 24_000 + 9_973 * (row * views.length + column) })),
);

export const roomNames: readonly string[] = ["Joinery", "Tools", "Timber", "Finishes", "Workshop photos", "Introductions"];

export const MESSAGES_PER_ROOM = 30;

const remarks = [
  "That joint holds without glue.",
  "Which saw did you use for this?",
  "紙やすりは何番ですか。",
  "Cedar smells best on the first day.",
  "I cut one strip too short again.",
  "きれいに仕上がりましたね。",
  "Does anyone have a spare mitre jig?",
  "The second video explains it better.",
];

/** What somebody says; `mark` tells one message from all others. */
export function remarkOf(index: number, mark: string): string {
  return `${remarks[index % remarks.length]} (${mark})`;
}
