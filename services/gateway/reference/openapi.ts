import packageJson from "../../../package.json" with { type: "json" };
import { catalogue, type ErrorCode } from "../../contracts/errors.ts";
import { scopes } from "../../contracts/scopes.ts";
import { type Documented, type Endpoint, TAGS } from "../endpoint.ts";
import { PROBLEM } from "../present/objects.ts";
import type { JsonSchema } from "../schema.ts";

/** An OpenAPI 3.1 document, as far as it is looked into. */
export interface OpenApiDocument {
  openapi: string;
  info: Record<string, unknown>;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Record<string, unknown>> & { schemas: Record<string, JsonSchema> };
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  style?: "form";
  explode?: false;
  schema: JsonSchema;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Content };
  responses: Record<string, { $ref: string } | { description: string; content?: Content }>;
}

type Content = Record<string, { schema: JsonSchema }>;

const DESCRIPTION = `Roost speaks the X (Twitter) API v2. Objects are small unless \`tweet.fields\`, \`user.fields\` and
\`expansions\` ask for more. Errors are problems (RFC 9457) that name the parameters at fault. Every answer tells what is
left of the rate limit.`;

/** The reference of some endpoints. Pure; nothing in it is written by hand that an endpoint's own definition says. */
export function openApiDocument(endpoints: readonly Endpoint[]): OpenApiDocument {
  const schemas = new Components();
  const paths: OpenApiDocument["paths"] = {};
  for (const { method, path, documented } of endpoints) {
    if (!documented) continue;
    const template = `/${path.replaceAll(/:(\w+)/g, "{$1}")}`;
    paths[template] = {
      ...paths[template],
      [method.toLowerCase()]: operation(`${method.toLowerCase()}/${path}`, documented, schemas),
    };
  }
  const responses = Object.fromEntries(
    Object.entries(catalogue).map(([code, [, , title]]) => [
      code,
      answer(title, "application/problem+json", schemas.share(PROBLEM.json)),
    ]),
  );
  return {
    openapi: "3.1.1",
    info: {
      title: "Roost",
      version: packageJson.version,
      description: DESCRIPTION,
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    tags: TAGS.map((name) => ({ name })),
    paths,
    components: { schemas: schemas.shared, responses, headers: LIMIT_HEADERS, securitySchemes: SCHEMES },
  };
}

const SCHEMES = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "An access token, as sign-up and log-in return it.",
  },
  oauth2: {
    type: "oauth2",
    description: "Authorization code with PKCE (S256).",
    flows: {
      authorizationCode: {
        authorizationUrl: "/2/oauth2/authorize",
        tokenUrl: "/2/oauth2/token",
        refreshUrl: "/2/oauth2/token",
        scopes,
      },
    },
  },
};

const LIMIT_HEADERS = {
  "x-rate-limit-limit": header("Requests that the limit allows in a window."),
  "x-rate-limit-remaining": header("Requests that are left of it."),
  "x-rate-limit-reset": header("When all of it is there again, in seconds since 1970."),
};

function header(description: string) {
  return { description, schema: { type: "integer" } };
}

function operation(id: string, documented: Documented, schemas: Components): Operation {
  const { tag, summary, params, query, headers, body, answers } = documented;
  const parameters = [
    ...parametersIn("path", params, schemas),
    ...parametersIn("query", query, schemas),
    ...parametersIn("header", headers, schemas),
  ];
  const own = Object.entries(answers).map(([status, { description, schema, type = "application/json" }]) => [
    status,
    answer(description, type, schemas.share(schema)),
  ]);
  const failed = errorsOf(documented).map((code) => [
    String(catalogue[code][0]),
    { $ref: `#/components/responses/${code}` },
  ]);
  return {
    operationId: id.replaceAll(/[^A-Za-z0-9]+(\w)/g, (_, letter: string) => letter.toUpperCase()),
    tags: [tag],
    summary,
    security: securityOf(documented),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: requestBody(body, schemas) } : {}),
    // What an endpoint says itself counts.
    responses: Object.fromEntries([...failed, ...own]),
  };
}

/** A body without required members may be left out. */
function requestBody(body: Record<string, JsonSchema>, schemas: Components) {
  const content = Object.entries(body).map(([type, schema]) => [type, { schema: schemas.share(schema) }]);
  return {
    required: Object.values(body).every(({ required }) => required !== undefined),
    content: Object.fromEntries(content),
  };
}

/** Any one of these: a session of one's own or of an app by itself, or an app's with the scopes. */
function securityOf({ access, scopes }: Documented): Operation["security"] {
  if (access === "anyone") return [];
  return [{ bearer: [] }, ...(scopes && access !== "app" ? [{ oauth2: [...scopes] }] : [])];
}

function answer(description: string, type: string, schema: JsonSchema) {
  const headers = Object.keys(LIMIT_HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]);
  return { description, headers: Object.fromEntries(headers), content: { [type]: { schema } } };
}

const ANYWHERE: ErrorCode[] = [
  "INVALID_REQUEST",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "TOO_MANY_REQUESTS",
  "INTERNAL",
  "UNAVAILABLE",
];
const WITH_BODY: ErrorCode[] = ["CONFLICT", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "UNPROCESSABLE"];

function errorsOf({ body }: Documented): ErrorCode[] {
  return body ? [...ANYWHERE, ...WITH_BODY] : ANYWHERE;
}

function parametersIn(
  place: Parameter["in"],
  fields: JsonSchema | undefined,
  schemas: Components,
): Parameter[] {
  return Object.entries(fields?.properties ?? {}).map(([name, field]) => {
    const { description, ...schema } = field;
    return {
      name,
      in: place,
      required: fields?.required?.includes(name) ?? false,
      ...(description === undefined ? {} : { description }),
      ...(field.type === "array" ? { style: "form", explode: false } : {}),
      schema: schemas.share(schema),
    };
  });
}

/** The schemas with a title, each once. */
class Components {
  readonly shared: Record<string, JsonSchema> = {};

  /** A schema in which every schema with a title is a reference to its component. */
  share(schema: JsonSchema): JsonSchema {
    const { title, ...rest } = schema;
    if (title === undefined) return this.#inside(rest);
    this.shared[title] ??= this.#inside(rest);
    return { $ref: `#/components/schemas/${title}` };
  }

  #inside(schema: JsonSchema): JsonSchema {
    const { properties, items, anyOf, additionalProperties } = schema;
    const members = Object.entries(properties ?? {}).map(([name, member]) => [name, this.share(member)]);
    return {
      ...schema,
      ...(properties && { properties: Object.fromEntries(members) }),
      ...(items && { items: this.share(items) }),
      ...(anyOf && { anyOf: anyOf.map((choice) => this.share(choice)) }),
      ...(typeof additionalProperties === "object" && {
        additionalProperties: this.share(additionalProperties),
      }),
    };
  }
}
