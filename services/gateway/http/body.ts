import type { IncomingMessage } from "node:http";
import { limits } from "../../../config/limits.ts";
import { fieldError, GatewayError, invalidRequest } from "../problem.ts";
import { parseQuery } from "./query.ts";

const JSON_TYPE = /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;.*)?$/i;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a request's body as one JSON object; no body at all is an empty one. Throws 415 for another content type or
 * encoding, 413 past the limit (what is left is then read and dropped), 400 for anything but a JSON object.
 */
export async function readJsonObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  const { headers } = request;
  if (isEmpty(request)) return {};
  if (!JSON_TYPE.test(headers["content-type"] ?? "")) {
    throw unsupported("content-type", headers["content-type"], "must be application/json");
  }
  return parseObject(await readAll(request));
}

/** The same for a body that may as well be a form: a name given twice is a 400. */
export async function readFormOrJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (isEmpty(request) || !FORM_TYPE.test(request.headers["content-type"] ?? ""))
    return readJsonObject(request);
  return parseForm(await readAll(request));
}

/** The body of an HTML form. Throws 415 for any other. */
export async function readForm(request: IncomingMessage): Promise<Record<string, unknown>> {
  const type = request.headers["content-type"];
  if (!FORM_TYPE.test(type ?? "")) throw unsupported("content-type", type, "must be that of a form");
  return parseForm(await readAll(request));
}

const isEmpty = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;

function parseForm(bytes: Buffer): Record<string, unknown> {
  // What is no UTF-8 becomes a character that nobody sends.
  return parseQuery(bytes.toString("utf8"));
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const { headers } = request;
  if (headers["content-encoding"] !== undefined && headers["content-encoding"] !== "identity") {
    throw unsupported(
      "content-encoding",
      headers["content-encoding"],
      "is not understood: send the body as it is",
    );
  }
  if (Number(headers["content-length"] ?? 0) > limits.bodyBytes) throw tooLarge();
  return readBytes(request);
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    throw invalidRequest([fieldError("body", undefined, "is not valid JSON in UTF-8")]);
  }
  if (!isObject(value)) throw invalidRequest([fieldError("body", undefined, "must be a JSON object")]);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limits.bodyBytes) chunks.push(chunk);
      else reject(tooLarge());
    });
    request.once("end", () => resolve(Buffer.concat(chunks)));
    request.once("error", () => reject(invalidRequest([fieldError("body", undefined, "was cut off")])));
  });
}

function tooLarge(): GatewayError {
  return new GatewayError("PAYLOAD_TOO_LARGE", `The body may have at most ${limits.bodyBytes} bytes.`, {
    errors: [fieldError("body", undefined, `may have at most ${limits.bodyBytes} bytes`)],
  });
}

function unsupported(header: string, value: string | undefined, message: string): GatewayError {
  return new GatewayError("UNSUPPORTED_MEDIA_TYPE", `The header ${header} ${message}.`, {
    errors: [fieldError(header, value, message)],
  });
}
