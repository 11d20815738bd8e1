import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { endpoints } from "../../services/gateway/routes.ts";
import { Contract, expectDocumented, ourDocument, xDocument } from "../support/x-api.ts";

const META = new URL("../fixtures/openapi/openapi-3.1.json", import.meta.url);

/** Every reference in a document. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref" && typeof inner === "string" ? inner : references(inner),
  );
}

describe("our reference", () => {
  it("is an OpenAPI 3.1 document", () => {
    const ajv = new Ajv2020({ strict: false, formats: { "media-range": true } });
    addFormats.default(ajv);
    const validate = ajv.compile(JSON.parse(readFileSync(META, "utf8")));
    expect(validate(JSON.parse(JSON.stringify(ourDocument))) || validate.errors).toBe(true);
  });

  it("has every endpoint, each with a name of its own", () => {
    const operations = Object.values(ourDocument.paths).flatMap((path) => Object.values(path));
    expect(operations).toHaveLength(endpoints.length);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(endpoints.length);
  });

  it("refers to nothing that is not there", () => {
    const names = new Set(
      Object.entries(ourDocument.components).flatMap(([kind, members]) =>
        Object.keys(members).map((name) => `#/components/${kind}/${name}`),
      ),
    );
    expect(references(ourDocument).filter((ref) => !names.has(ref))).toEqual([]);
  });

  it("says what validates requests: types, bounds, defaults, patterns and lists", () => {
    const parameters = ourDocument.paths["/2/users/{id}/tweets"]?.get?.parameters ?? [];
    const named = (name: string) => parameters.find((parameter) => parameter.name === name);
    expect(named("id")).toMatchObject({ in: "path", required: true, schema: { pattern: "^[0-9]{1,19}$" } });
    expect(named("max_results")).toMatchObject({
      required: false,
      schema: { type: "integer", minimum: 5, maximum: 100, default: 10 },
    });
    expect(named("exclude")).toMatchObject({
      style: "form",
      explode: false,
      schema: { type: "array", items: { enum: ["replies", "retweets"] }, uniqueItems: true },
    });
    const signUp = ourDocument.paths["/auth/signup"]?.post?.requestBody?.content["application/json"]?.schema;
    expect(signUp).toMatchObject({
      required: ["username", "name", "password"],
      properties: { password: { type: "string", minLength: 8, maxLength: 128 } },
      additionalProperties: false,
    });
  });
});

describe("what is checked of answers", () => {
  const contract = new Contract(ourDocument);
  const answered = (body: unknown, status = 200, type = "application/json; charset=utf-8") => ({
    body,
    status,
    type,
  });
  const tweet = { id: "1", text: "a", edit_history_tweet_ids: ["1"] };

  it("passes what is documented", () => {
    expect(contract.faults("GET", "/2/tweets/1", answered({ data: tweet }))).toEqual([]);
  });

  it.each([
    ["a member that is missing", answered({ data: { id: "1", text: "a" } })],
    ["a member too many", answered({ data: { ...tweet, txt: "b" } })],
    ["another type", answered({ data: { ...tweet, id: 1 } })],
    ["another status", answered({ data: tweet }, 204)],
    ["another content type", answered({ data: tweet }, 200, "text/plain")],
    ["a problem as plain JSON", answered({ type: "about:blank", title: "Gone" }, 404)],
  ])("refuses %s", (_, answer) => {
    expect(contract.faults("GET", "/2/tweets/1", answer)).not.toEqual([]);
  });

  (xDocument ? it : it.skip)("refuses what X does not know of", () => {
    const type = "application/problem+json";
    const ours = { type: "https://api.twitter.com/2/problems/of-our-own", title: "Ours" };
    expect(() => expectDocumented("GET", "/2/tweets/1", { status: 400, type, body: ours })).toThrow(
      "X's document",
    );
  });
});
