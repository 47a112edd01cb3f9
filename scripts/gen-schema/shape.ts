/** What a field may hold. `fields` of one object are in the order of their declaration. */
export type Shape =
  | { readonly is: "object"; readonly fields: ReadonlyMap<string, Field>; readonly oneOf: readonly (readonly string[])[] }
  | { readonly is: "map"; readonly values: Shape }
  | { readonly is: "list"; readonly items: Shape; readonly minItems?: number; readonly maxItems?: number }
  | {
      readonly is: "string";
      readonly enum?: readonly string[];
      readonly pattern?: string;
      readonly minLength?: number;
      readonly maxLength?: number;
      readonly format?: "duration" | "regex";
    }
  | { readonly is: "number" | "integer"; readonly minimum?: number; readonly maximum?: number }
  | { readonly is: "boolean" | "integer-or-string" | "quantity" | "any" };

export interface Field {
  readonly shape: Shape;
  readonly required: boolean;
  readonly description: string;
}
