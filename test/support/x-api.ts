import { existsSync, readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parseQuery } from "../../services/gateway/http/query.ts";
import { type OpenApiDocument, openApiDocument } from "../../services/gateway/reference/openapi.ts";
import { endpoints } from "../../services/gateway/routes.ts";
import { spokenIn } from "../../services/gateway/vocabulary.ts";
import { closed, inJsonSchema } from "./x-api-schema.ts";

/** The X API's own document; absent where only the project is. */
const X_DOCUMENT = new URL("../../../shared/x-api/openapi-2.159.json", import.meta.url);
export const xDocument: OpenApiDocument | undefined = existsSync(X_DOCUMENT)
  ? JSON.parse(readFileSync(X_DOCUMENT, "utf8")) // X's own
  : undefined;

export const ourDocument: OpenApiDocument = openApiDocument(endpoints);

/** An answer over HTTP, as far as a document says something of it. */
export interface Answered {
  status: number;
  /** The header content-type. */
  type: string | undefined;
  /** Its JSON. */
  body: unknown;
}

interface Response {
  $ref?: string;
  content?: Record<string, unknown>;
}

/** What an OpenAPI document promises of answers. */
export class Contract {
  readonly #document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(closed(inJsonSchema(document)), "document");
  }

  /** The template of a path; undefined where the document has none. Fixed segments win over parameters. */
  template(path: string): string | undefined {
    const asked = path.split("?", 1)[0]?.split("/") ?? [];
    const fits = (template: string) => {
      const parts = template.split("/");
      return (
        parts.length === asked.length && parts.every((part, i) => part.startsWith("{") || part === asked[i])
      );
    };
    const found = Object.keys(this.#document.paths).filter(fits);
    return found.sort((a, b) => a.split("{").length - b.split("{").length)[0];
  }

  /** What is wrong with an answer; undefined where the document does not know the operation. */
  faults(method: string, path: string, answered: Answered): string[] | undefined {
    const template = this.template(path);
    const operation = template && this.#document.paths[template]?.[method.toLowerCase()];
    if (!operation) return undefined;
    const responses: Record<string, Response> = operation.responses;
    const key = responses[answered.status] ? String(answered.status) : "default";
    const response = responses[key];
    if (!response) return [`status ${answered.status} is not documented`];
    const at = response.$ref?.slice(1) ?? pointer("paths", template, method.toLowerCase(), "responses", key);
    const content = this.#at(at).content ?? {};
    const type = answered.type?.split(";", 1)[0]?.trim() ?? "";
    if (!Object.hasOwn(content, type)) return [`content type "${type}" is not documented`];
    return this.#validate(`${at}${pointer("content", type, "schema")}`, answered.body);
  }

  #at(path: string): Response {
    const names = path
      .split("/")
      .slice(1)
      .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
    return names.reduce<object>((from, name) => Object(Reflect.get(from, name)), this.#document);
  }

  #validate(at: string, body: unknown): string[] {
    const known = this.#compiled.get(at);
    const validate = known ?? this.#ajv.compile({ $ref: `document#${encodeURI(at)}` });
    if (!known) this.#compiled.set(at, validate);
    if (validate(body)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

const pointer = (...names: string[]) =>
  names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

const contracts = [
  { of: "our document", contract: new Contract(ourDocument) },
  ...(xDocument ? [{ of: "X's document", contract: new Contract(xDocument) }] : []),
];

function speaksOfPosts(path: string): boolean {
  try {
    return spokenIn(parseQuery(path.split("?")[1] ?? "")).vocabulary === "post";
  } catch {
    return false;
  }
}

/** Fails where an answer is not as our document, and X's where it is at hand, says. HEAD has no body to look at. */
export function expectDocumented(method: string, path: string, answered: Answered): void {
  if (method === "HEAD" || !/^\/(2|auth)\//.test(path)) return;
  // X's document has the tweet vocabulary only.
  const inPosts = speaksOfPosts(path);
  for (const { of, contract } of inPosts ? contracts.slice(0, 1) : contracts) {
    const faults = contract.faults(method, path, answered) ?? [];
    if (faults.length > 0)
      throw new Error(
        `${method} ${path} → ${answered.status} is not as ${of} says:\n${faults.join("\n")}\n${JSON.stringify(answered.body)}`,
      );
  }
}
