/** A JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1), as far as the reference needs it. */
export interface JsonSchema {
  /** Names the component that a schema becomes in the document. */
  title?: string;
  description?: string;
  $ref?: string;
  type?: JsonType | readonly JsonType[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  enum?: readonly (string | number | boolean)[];
  default?: unknown;
  examples?: readonly unknown[];
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: boolean | JsonSchema;
  anyOf?: readonly JsonSchema[];
}

type JsonType = "string" | "integer" | "number" | "boolean" | "array" | "object" | "null";

/** What an answer holds: as JSON Schema for the reference, and as the type that presenters return. */
export interface Schema<T> {
  readonly json: JsonSchema;
  /** Never set: carries the type. */
  readonly type?: T;
}

export type TypeOf<S> = S extends Schema<infer T> ? T : never;

type Members = Record<string, Schema<unknown>>;
type Flat<T> = { [K in keyof T]: T[K] };
type ObjectOf<R extends Members, O extends Members> = Flat<
  { [K in keyof R]: TypeOf<R[K]> } & { [K in keyof O]?: TypeOf<O[K]> }
>;

export const string = (more: JsonSchema = {}): Schema<string> => ({ json: { type: "string", ...more } });
export const integer = (more: JsonSchema = {}): Schema<number> => ({ json: { type: "integer", ...more } });
export const boolean = (more: JsonSchema = {}): Schema<boolean> => ({ json: { type: "boolean", ...more } });

export function choice<T extends string>(values: readonly T[], more: JsonSchema = {}): Schema<T> {
  return { json: { type: "string", enum: values, ...more } };
}

export function list<T>({ json }: Schema<T>, more: JsonSchema = {}): Schema<T[]> {
  return { json: { type: "array", items: json, ...more } };
}

/** An object with the members it always has and those it may have. */
export function object<R extends Members, O extends Members = Record<never, never>>(
  required: R,
  optional?: O,
  more: JsonSchema = {},
): Schema<ObjectOf<R, O>> {
  const members = Object.entries({ ...required, ...optional });
  return {
    json: {
      type: "object",
      properties: Object.fromEntries(members.map(([name, { json }]) => [name, json])),
      ...(Object.keys(required).length > 0 ? { required: Object.keys(required) } : {}),
      ...more,
    },
  };
}

/** Lists of strings by name. */
export function stringLists(more: JsonSchema = {}): Schema<Record<string, string[]>> {
  return { json: { type: "object", additionalProperties: list(string()).json, ...more } };
}

/** A schema that the document shares under a name. */
export function named<T>(title: string, { json }: Schema<T>): Schema<T> {
  return { json: { title, ...json } };
}
