import fc from "fast-check";
import { generateSync } from "json-schema-faker";
import type { OpenApiDocument, Operation, Parameter } from "../../services/gateway/reference/openapi.ts";
import type { JsonSchema } from "../../services/gateway/schema.ts";

/** A request to be sent, as it goes out. */
export interface FuzzRequest {
  operation: string;
  method: string;
  path: string;
  /** Whose token it bears. */
  as: "me" | "nobody" | "bogus";
  headers: Record<string, string>;
  body?: string;
}

/** Ids and names of what there is, so that some requests reach something. */
export interface Known {
  /** Mostly the one whose token it is. */
  users: readonly string[];
  tweets: readonly string[];
  usernames: readonly string[];
}

type Kind = "valid" | "boundary" | "invalid";

interface Choice {
  name: string;
  seed: number;
  as: FuzzRequest["as"];
  kind: Kind;
  /** Which of the places is bent, where one is. */
  at: number;
  /** What is put there. */
  junk: unknown;
  wire: "as it should" | "no type" | "other type" | "broken" | "twice" | "unknown";
}

const junk = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      "",
      " ",
      "0",
      "-1",
      "1e3",
      "NaN",
      "null",
      "true",
      "[object Object]",
      "__proto__",
      "constructor",
      "%00",
      "%",
    ],
    ...[
      "99999999999999999999",
      "9223372036854775808",
      "'; DROP TABLE users; --",
      "../../etc/passwd",
      "\u0000",
      "\ud800",
    ],
    ...["👩‍👩‍👧‍👦".repeat(50), "x".repeat(10_000), "é", "\r\nx: y", "a,".repeat(500), "2026-13-45T99:99:99Z"],
    ...[null, true, 0, -1, 1.5, 2 ** 53, [], {}, [[[[]]]], { $ne: "" }, { toString: 1 }, { length: 1e9 }],
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Requests for every operation of a document: as it says, at its bounds and against it, signed in and not. */
export function requestsOf(document: OpenApiDocument, known: Known): fc.Arbitrary<FuzzRequest> {
  const operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [
        `${method.toUpperCase()} ${path}`,
        { method: method.toUpperCase(), path, operation },
      ]),
    ),
  );
  const choices: fc.Arbitrary<Choice> = fc.record({
    name: fc.constantFrom(...operations.keys()),
    seed: fc.nat(),
    as: fc.constantFrom("me", "me", "me", "me", "nobody", "bogus"),
    kind: fc.constantFrom("valid", "boundary", "invalid", "invalid"),
    at: fc.nat(40),
    junk,
    wire: fc.constantFrom(
      "as it should",
      "as it should",
      "as it should",
      "no type",
      "other type",
      "broken",
      "twice",
      "unknown",
    ),
  });
  return choices.map((choice) => {
    const found = operations.get(choice.name);
    if (!found) throw new Error(`no operation ${choice.name}`);
    return requestOf(document, known, found, choice);
  });
}

function requestOf(
  document: OpenApiDocument,
  known: Known,
  { method, path, operation }: { method: string; path: string; operation: Operation },
  choice: Choice,
): FuzzRequest {
  const random = new Random(choice.seed);
  const make = (name: string, schema: JsonSchema) => {
    const ids = { of: known, tweets: isTweets(name, path) };
    return generated(inReach(whole(document, schema), ids, random), choice.kind, random);
  };
  const parameters = (operation.parameters ?? []).filter(({ required }) => required || random.next(3) === 0);
  const values = new Map<Parameter, unknown>(
    parameters.map((parameter) => [parameter, make(parameter.name, parameter.schema)]),
  );
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  let body = content && make("", content.schema);
  if (choice.kind === "invalid") {
    const bent = parameters[choice.at % (parameters.length + 1)];
    if (bent) values.set(bent, choice.junk);
    else body = bend(body, choice);
  }
  const inPlace = (place: Parameter["in"]) => [...values].filter(([parameter]) => parameter.in === place);
  const filled = inPlace("path").reduce(
    (at, [{ name }, value]) => at.replace(`{${name}}`, () => encoded(textOf(value)) || "_"),
    path,
  );
  const query = inPlace("query").map(([{ name }, value]) => `${encoded(name)}=${encoded(textOf(value))}`);
  if (choice.kind === "invalid" && choice.wire === "twice") query.push(...query);
  if (choice.kind === "invalid" && choice.wire === "unknown") query.push("no.such=parameter", "__proto__=1");
  const headers = Object.fromEntries(
    inPlace("header").flatMap(([{ name }, value]) =>
      isHeader(textOf(value)) ? [[name, textOf(value)]] : [],
    ),
  );
  const sent = content && written(body, type ?? "", choice);
  return {
    operation: choice.name,
    method,
    path: query.length > 0 ? `${filled}?${query.join("&")}` : filled,
    as: choice.as,
    headers: { ...headers, ...sent?.headers },
    ...(sent === undefined ? {} : { body: sent.body }),
  };
}

function written(
  body: unknown,
  type: string,
  { kind, wire }: Choice,
): { body: string; headers: Record<string, string> } {
  const isForm = type === "application/x-www-form-urlencoded";
  const members = Object.entries(Object(body)).map(([name, value]): [string, string] => [
    name,
    textOf(value),
  ]);
  const text = isForm ? String(new URLSearchParams(members)) : (JSON.stringify(body) ?? "");
  if (kind !== "invalid") return { body: text, headers: { "content-type": type } };
  if (wire === "broken") return { body: text.slice(0, -1), headers: { "content-type": type } };
  if (wire === "no type") return { body: text, headers: {} };
  return { body: text, headers: { "content-type": wire === "other type" ? "text/xml" : type } };
}

/** A body that is not as it should be: with junk for a member, without it, with one too many, or junk as a whole. */
function bend(body: unknown, { at, junk: value }: Choice): unknown {
  const names = Object.keys(Object(body));
  const name = names[at % (names.length + 1)];
  if (name === undefined)
    return at % 2 === 0 ? value : { ...Object(body), [textOf(value).slice(0, 20)]: value };
  const { [name]: _, ...rest } = Object(body);
  return at % 3 === 0 ? rest : { ...Object(body), [name]: value };
}

/** With every reference replaced by what it names. */
function whole(document: OpenApiDocument, schema: JsonSchema): JsonSchema {
  const { $ref, properties, items } = schema;
  if ($ref !== undefined)
    return whole(document, document.components.schemas[$ref.split("/").at(-1) ?? ""] ?? {});
  return {
    ...schema,
    ...(items && { items: whole(document, items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [name, whole(document, member)]),
      ),
    }),
  };
}

/** Whether an id of this name is a tweet's. */
function isTweets(name: string, path: string): boolean {
  return /tweet|since|until/.test(name) || (/^ids?$/.test(name) && path.startsWith("/2/tweets"));
}

/** Mostly with ids and names of what there is in place of made-up ones. */
function inReach(schema: JsonSchema, ids: { of: Known; tweets: boolean }, random: Random): JsonSchema {
  const { pattern, properties, items } = schema;
  if (pattern?.includes("{1,19}") && random.next(5) > 0)
    return { type: "string", enum: ids.tweets ? ids.of.tweets : ids.of.users };
  if (pattern?.includes("{1,15}") && random.next(5) > 0) return { type: "string", enum: ids.of.usernames };
  return {
    ...schema,
    ...(items && { items: inReach(items, ids, random) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [
          name,
          inReach(member, { ...ids, tweets: isTweets(name, "") }, random),
        ]),
      ),
    }),
  };
}

function generated(schema: JsonSchema, kind: Kind, random: Random): unknown {
  const edge = kind === "boundary" ? atBounds(schema, random) : undefined;
  return edge === undefined ? generateSync(Object(schema), { seed: random.next(2 ** 31) }) : edge;
}

/** A value at a bound, or next to it on the wrong side; undefined where there is none. */
function atBounds(schema: JsonSchema, random: Random): unknown {
  const { minimum, maximum, minLength = 0, maxLength, maxItems, items, properties } = schema;
  const pick = <T>(...values: T[]): T | undefined => values[random.next(values.length)];
  if (minimum !== undefined || maximum !== undefined)
    return pick(
      ...[minimum, maximum].flatMap((bound) => (bound === undefined ? [] : [bound - 1, bound, bound + 1])),
    );
  if (maxLength !== undefined)
    return "a".repeat(Math.max(0, pick(minLength - 1, minLength, maxLength, maxLength + 1) ?? 0));
  if (maxItems !== undefined && items) {
    const length = pick(0, 1, maxItems, maxItems + 1) ?? 0;
    return Array.from({ length }, (_, i) => (items.pattern?.includes("{1,19}") ? String(i + 1) : `u${i}`));
  }
  if (!properties) return undefined;
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, member]) =>
      schema.required?.includes(name) || random.next(2) === 0
        ? [[name, generated(member, "boundary", random)]]
        : [],
    ),
  );
}

/** A list stands for its items and commas. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return Array.isArray(value) ? value.map(textOf).join(",") : (JSON.stringify(value) ?? "");
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll("%2C", ",");
}

const isHeader = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

/** Numbers that follow from a seed (a linear congruential generator). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below `bound`. */
  next(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }
}
