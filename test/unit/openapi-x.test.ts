import type { OpenApiDocument } from "../../services/gateway/reference/openapi.ts";
import type { JsonSchema } from "../../services/gateway/schema.ts";
import { ourDocument, xDocument } from "../support/x-api.ts";

/** Endpoints of ours that X documents under this path; parameters of paths are named differently. */
const formOf = (path: string) => path.replaceAll(/\{[^}]+\}/g, "*");

interface Described {
  required: boolean;
  schema: JsonSchema;
  style?: string;
  explode?: boolean;
}

/** Follows references of one document. */
function resolverOf(document: OpenApiDocument) {
  const resolve = (value: unknown): Record<string, unknown> => {
    const ref: unknown = Object(value).$ref;
    if (typeof ref !== "string") return Object(value);
    const names = ref.split("/").slice(1);
    return resolve(names.reduce<unknown>((from, name) => Object(from)[name], document));
  };
  return resolve;
}

/** The parameters of a query by name, or the members of a JSON body. */
function takenBy(document: OpenApiDocument, operation: unknown): Map<string, Described> {
  const resolve = resolverOf(document);
  const { parameters, requestBody } = Object(operation);
  const query = [...(parameters ?? [])]
    .map(resolve)
    .filter((parameter) => parameter.in === "query")
    .map(({ name, required = false, style, explode, schema }): [string, Described] => [
      String(name),
      Object({ required, style, explode, schema: resolve(schema) }),
    ]);
  const body = resolve(Object(Object(requestBody?.content)["application/json"]).schema);
  const members = Object.entries(Object(body.properties)).map(([name, schema]): [string, Described] => [
    name,
    { required: Object(body.required ?? []).includes(name), schema: Object(resolve(schema)) },
  ]);
  return new Map([...query, ...members]);
}

/** What Roost refuses by its name, and leaves out of the reference. */
const REFUSED = new Set([
  "card_uri",
  "community_id",
  "direct_message_deep_link",
  "edit_options",
  "for_super_followers_only",
  "geo",
  "media",
  "nullcast",
  "poll",
  "share_with_followers",
]);

/** Counts come in one answer: nobody has a token for more. */
const isNeedless = (name: string, parameter: string) =>
  name === "GET /2/tweets/counts/recent" && parameter.endsWith("_token");

interface Case {
  name: string;
  theirs: Map<string, Described>;
  ours: Map<string, Described>;
}

function casesOf(x: OpenApiDocument): Case[] {
  const byForm = new Map(Object.entries(x.paths).map(([path, operations]) => [formOf(path), operations]));
  return Object.entries(ourDocument.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) => {
      const theirs = byForm.get(formOf(path))?.[method];
      if (!theirs) return [];
      const name = `${method.toUpperCase()} ${path}`;
      return { name, theirs: takenBy(x, theirs), ours: takenBy(ourDocument, operation) };
    }),
  );
}

const itemsOf = ({ items }: JsonSchema) => items?.enum ?? [];
const cases = xDocument ? casesOf(xDocument) : [];

(xDocument ? describe : describe.skip)("what X takes", () => {
  it("is compared for all that both have", () => expect(cases.length).toBeGreaterThan(28));

  it.each(cases)("is taken: $name", ({ name: of, theirs, ours }) => {
    const absent = [...theirs.keys()].filter((name) => !ours.has(name) && !REFUSED.has(name));
    expect(absent.filter((name) => !isNeedless(of, name))).toEqual([]);
    for (const [name, described] of theirs) {
      const own = ours.get(name);
      if (!own) continue;
      const { minimum, maximum, default: usual } = described.schema;
      expect({ name, minimum: own.schema.minimum, maximum: own.schema.maximum }).toEqual({
        name,
        minimum,
        maximum,
      });
      if (usual !== undefined) expect({ name, usual: own.schema.default }).toEqual({ name, usual });
      expect(own.schema.enum ?? []).toEqual(expect.arrayContaining([...(described.schema.enum ?? [])]));
      expect(itemsOf(own.schema)).toEqual(expect.arrayContaining([...itemsOf(described.schema)]));
      // Where X does not say, its SDKs send commas as everywhere.
      if (described.explode !== undefined) expect(own.explode).toBe(described.explode);
    }
  });

  it.each(cases)("is all that is needed: $name", ({ theirs, ours }) => {
    const needed = [...ours].filter(([, { required }]) => required).map(([name]) => name);
    // Without media a tweet needs a text.
    const optional = needed.filter((name) => !theirs.get(name)?.required && name !== "text");
    expect(optional).toEqual([]);
  });
});
