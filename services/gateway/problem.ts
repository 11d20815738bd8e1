import { catalogue, type ErrorCode, errorCode, type FieldError, RoostError } from "../contracts/errors.ts";
import type { Problem as ProblemJson } from "./present/objects.ts";

const TYPES = "https://api.twitter.com/2/problems/";

/** The problem of a whole request. */
export type Problem = ProblemJson & { status: number; detail: string };

/** An error that only the gateway throws: with headers, or further members of its problem. */
export class GatewayError extends RoostError {
  readonly headers: Record<string, string>;
  readonly members: Record<string, string>;

  constructor(
    code: ErrorCode,
    detail: string,
    extra: { errors?: FieldError[]; headers?: Record<string, string>; members?: Record<string, string> } = {},
  ) {
    super(code, detail, { errors: extra.errors });
    this.headers = extra.headers ?? {};
    this.members = extra.members ?? {};
  }
}

export type ResourceType = "user" | "tweet";

/** The X API's problem of a resource that is not there, as it stands among the `errors` of a partial answer. */
export function notFoundProblem(resource: ResourceType, parameter: string, value: string) {
  return {
    value,
    detail: `Could not find ${resource} with ${parameter}: [${value}].`,
    title: "Not Found Error",
    resource_type: resource,
    parameter,
    resource_id: value,
    type: `${TYPES}resource-not-found`,
  };
}

/** The X API's problem of a resource that is there, but not for this viewer. */
export function unauthorizedProblem(resource: ResourceType, parameter: string, value: string) {
  return {
    value,
    detail: `Sorry, you are not authorized to see the ${resource} with ${parameter}: [${value}].`,
    title: "Authorization Error",
    resource_type: resource,
    parameter,
    resource_id: value,
    section: "includes" as const,
    type: `${TYPES}not-authorized-for-resource`,
  };
}

/** A shard that is away, as it stands among the `errors` of an answer that lacks what it holds. */
export function unavailableProblem(shard: string) {
  const [status, type, title] = catalogue.UNAVAILABLE;
  const detail = `Database shard ${shard} is not available at the moment: what it holds is missing from this answer.`;
  return { type, title, status, detail };
}

/** 404 for the one resource that a request names. */
export function notFound(resource: ResourceType, parameter: string, value: string): GatewayError {
  const { detail, ...members } = notFoundProblem(resource, parameter, value);
  const errors = [fieldError(parameter, value, `names no ${resource}`)];
  return new GatewayError("NOT_FOUND", detail, { errors, members });
}

const SECRETS = new Set(["password", "refresh_token", "token"]);

/** One faulty parameter; a secret's value is not repeated, a long one is cut. */
export function fieldError(field: string, value: unknown, message: string): FieldError {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : typeof value;
  const shown = SECRETS.has(field) ? "…" : text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return { message, parameters: { [field]: value === undefined ? [] : [shown] } };
}

/** 400 that names every faulty parameter. */
export function invalidRequest(errors: FieldError[]): GatewayError {
  return new GatewayError("INVALID_REQUEST", "One or more parameters to your request was invalid.", {
    errors,
  });
}

/** Moleculer's own errors that mean "not now": nobody serves the action, or not in time. */
const NOT_NOW = new Set([
  "SERVICE_NOT_FOUND",
  "SERVICE_NOT_AVAILABLE",
  "REQUEST_TIMEOUT",
  "REQUEST_SKIPPED",
  "REQUEST_REJECTED",
  "QUEUE_FULL",
  "GRACEFUL_STOP_TIMEOUT",
]);

interface Described {
  problem: Problem;
  headers: Record<string, string>;
  /** Whether it is a fault of ours, whose cause belongs in the log. */
  unexpected: boolean;
}

/**
 * What a client may see of an error, wherever it was thrown. Nothing of an unknown error is shown. `resource` is what
 * the request was about: a service's 404 becomes the X API's problem of that resource.
 */
export function describe(error: unknown, resource: ResourceType = "user"): Described {
  const { type, data } = facts(error);
  if (type === "VALIDATION_ERROR")
    return described("INVALID_REQUEST", invalidRequest(validationErrors(data)));
  if (NOT_NOW.has(type)) return described("UNAVAILABLE", NOT_AVAILABLE);
  const code = errorCode(error);
  if (code === undefined || code === "INTERNAL")
    return { ...described("INTERNAL", OUR_FAULT), unexpected: true };
  if (code === "NOT_FOUND" && !(error instanceof GatewayError))
    return described(code, missing(error, resource));
  return described(code, error);
}

const NOT_AVAILABLE = new RoostError("UNAVAILABLE", "This is not available at the moment: try again.");
const OUR_FAULT = new RoostError("INTERNAL", "Something went wrong on our side.");

/** A service names the missing thing among its errors. */
function missing(error: unknown, resource: ResourceType): unknown {
  const [first] = shownData(facts(error).data).errors ?? [];
  const [parameter, [value] = []] = Object.entries(first?.parameters ?? {})[0] ?? [];
  return parameter !== undefined && value !== undefined ? notFound(resource, parameter, value) : error;
}

function described(code: ErrorCode, error: unknown): Described {
  const [status, type, title] = catalogue[code];
  const { detail, errors, retryAfter } = shownData(facts(error).data);
  const extra = error instanceof GatewayError ? error : { headers: {}, members: {} };
  const headers: Record<string, string> = { ...extra.headers };
  if (code === "UNAVAILABLE" || retryAfter !== undefined) headers["retry-after"] = String(retryAfter ?? 1);
  if (code === "UNAUTHORIZED") headers["www-authenticate"] = "Bearer";
  return {
    problem: {
      type: type === "about:blank" ? type : TYPES + type,
      title,
      status,
      detail: detail ?? title,
      ...(errors?.length ? { errors } : {}),
      ...extra.members,
    },
    headers,
    unexpected: false,
  };
}

function facts(error: unknown): { type: string; data: unknown } {
  if (!Error.isError(error)) return { type: "", data: undefined };
  const type = "type" in error && typeof error.type === "string" ? error.type : "";
  return { type, data: "data" in error ? error.data : undefined };
}

/** An error's data may come from another process: only what has the right shape is taken. */
function shownData(data: unknown): { detail?: string; errors?: FieldError[]; retryAfter?: number } {
  if (typeof data !== "object" || data === null) return {};
  return {
    detail: "detail" in data && typeof data.detail === "string" ? data.detail : undefined,
    errors: "errors" in data && Array.isArray(data.errors) ? data.errors : undefined,
    retryAfter: "retryAfter" in data && typeof data.retryAfter === "number" ? data.retryAfter : undefined,
  };
}

/** What a service calls otherwise than the API does. */
const API_NAMES: Record<string, string> = { cursor: "pagination_token", limit: "max_results" };

function validationErrors(data: unknown): FieldError[] {
  const list: unknown[] = Array.isArray(data) ? data : [];
  return list.map((entry) => {
    const { field, actual, message } = Object(entry);
    const name = String(field ?? "body");
    return fieldError(API_NAMES[name] ?? name, actual, String(message ?? "is not valid"));
  });
}
