import { hash } from "node:crypto";
import type pg from "pg";
import { prepares } from "./pools.ts";

/** A prepared statement and its values. `Row` is what it returns: bigints as decimal strings, timestamps as Dates. */
export interface Statement<Row> {
  name: string;
  text: string;
  values: unknown[];
  /** Never set: carries the row type. */
  readonly row?: Row;
}

const prepared = new WeakMap<TemplateStringsArray, { name: string; text: string }>();

/**
 * Builds a statement from a template: every `${value}` becomes a parameter, never text. Each template is prepared once
 * per connection.
 */
export function sql<Row = never>(strings: TemplateStringsArray, ...values: unknown[]): Statement<Row> {
  let known = prepared.get(strings);
  if (!known) {
    const text = strings.reduce((all, part, i) => `${all}$${i}${part}`);
    known = { name: `q${hash("sha1", text, "hex")}`, text };
    prepared.set(strings, known);
  }
  return { ...known, values };
}

export async function run<Row>(
  on: pg.Pool | pg.PoolClient,
  { name, text, values }: Statement<Row>,
): Promise<Row[]> {
  // pg cannot know the row type of a text: it is declared once, where the statement is written.
  const { rows } = await on.query({ name: prepares(on) ? name : undefined, text, values });
  return rows as Row[];
}
