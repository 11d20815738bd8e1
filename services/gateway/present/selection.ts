import { decoded, type Field, optional, withDefault } from "../fields.ts";

const CACHED = 1_000;

/**
 * A comma list of names out of an enumeration of the X API, turned once into what `select` makes of it; lists that were
 * seen before come from a small cache. Names that are known but not kept yet are accepted.
 */
export function selection<T>(known: readonly string[], select: (names: ReadonlySet<string>) => T): Field<T> {
  const all = new Set(known);
  const cache = new Map<string, T>();
  const parse = (raw: string): T | undefined => {
    const seen = cache.get(raw);
    if (seen !== undefined) return seen;
    const names = raw.split(",");
    if (!names.every((name) => all.has(name))) return undefined;
    const selected = select(new Set(names));
    if (cache.size < CACHED) cache.set(raw, selected);
    return selected;
  };
  const schema = { type: "array", items: { type: "string", enum: known }, minItems: 1 } as const;
  const message = `must be one or more of ${known.join(", ")}, separated by commas`;
  return withDefault(decoded(message, schema, parse), select(new Set()));
}

/** Fields of objects that Roost does not keep: checked, then ignored. */
export function ignored(known: readonly string[]): Field<unknown> {
  return optional(selection(known, () => true));
}

/** What each field of an object shows of what stands behind it; undefined where it has no value. */
export type Showing<From, Json> = { [K in keyof Json]-?: (from: From) => Json[K] };

/** Fills the fields of a JSON object by their names. */
export function shownBy<From, Json>(showing: Showing<From, Json>) {
  // The names of an object literal that has the type's, and no others.
  const known = Object.keys(showing) as (string & keyof Json)[];
  return {
    keysAmong: (names: ReadonlySet<string>) => known.filter((key) => names.has(key)),
    into(json: Partial<Json>, from: From, keys: readonly (keyof Json)[]): void {
      for (const key of keys) {
        const value = showing[key](from);
        if (value !== undefined) json[key] = value;
      }
    },
  };
}
