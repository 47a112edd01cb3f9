export const PROFILE_OPTION = {
  type: "string",
  value: "PROFILE",
  help: "defaults that count where a resource says nothing; wins over the one that MeshConfig names",
  choices: ["zero-trust", "istio"],
} as const;

export function toProfile(text: string | undefined): "zero-trust" | "istio" | undefined {
  return text === "zero-trust" || text === "istio" ? text : undefined;
}
