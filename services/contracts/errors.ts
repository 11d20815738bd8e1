import { Errors } from "moleculer";

/**
 * The catalogue of errors: each code, its HTTP status, its problem type (the X API's where it has one) and title.
 * An error crosses the broker as a MoleculerError whose `type` is the code; only `detail` and `errors` reach a client.
 */
export const catalogue = {
  INVALID_REQUEST: [400, "invalid-request", "Invalid Request"],
  UNAUTHORIZED: [401, "about:blank", "Unauthorized"],
  FORBIDDEN: [403, "client-forbidden", "Forbidden"],
  UNSUPPORTED_AUTHENTICATION: [403, "unsupported-authentication", "Unsupported Authentication"],
  NOT_FOUND: [404, "resource-not-found", "Not Found Error"],
  METHOD_NOT_ALLOWED: [405, "about:blank", "Method Not Allowed"],
  CONFLICT: [409, "conflict", "Conflict"],
  PAYLOAD_TOO_LARGE: [413, "about:blank", "Payload Too Large"],
  UNSUPPORTED_MEDIA_TYPE: [415, "about:blank", "Unsupported Media Type"],
  UNPROCESSABLE: [422, "invalid-request", "Unprocessable Content"],
  TOO_MANY_REQUESTS: [429, "about:blank", "Too Many Requests"],
  INTERNAL: [500, "about:blank", "Internal Server Error"],
  UNAVAILABLE: [503, "about:blank", "Service Unavailable"],
} as const satisfies Record<string, readonly [status: number, type: string, title: string]>;

export type ErrorCode = keyof typeof catalogue;

/** One faulty parameter: what is wrong with it, under its name and the value that was sent. */
export interface FieldError {
  message: string;
  parameters: Record<string, string[]>;
}

export interface ErrorData {
  detail: string;
  errors?: FieldError[];
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
}

/** An error that a client may see. `detail` is one sentence; `errors` names the fields at fault. */
export class RoostError extends Errors.MoleculerError {
  constructor(code: ErrorCode, detail: string, extra: Omit<ErrorData, "detail"> = {}) {
    const data: ErrorData = { detail, ...extra };
    super(detail, catalogue[code][0], code, data);
    this.name = "RoostError";
    // Decides whether the broker calls again by itself: bounded waits must not add up. Clients go by the status.
    this.retryable = false;
  }
}

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
};

/** 400 (or another code) for one field, named as the X API names it. */
export function invalidField(
  field: string,
  value: unknown,
  message: string,
  code: ErrorCode = "INVALID_REQUEST",
): RoostError {
  return new RoostError(code, `One or more parameters to your request was invalid: ${field}: ${message}`, {
    errors: [{ message, parameters: { [field]: [shown(value)] } }],
  });
}

/** 503: a dependency is down; the same request may be sent again after `retryAfter` seconds. */
export function unavailable(what: string, retryAfter = 1): RoostError {
  return new RoostError("UNAVAILABLE", `${what} is not available at the moment: try again.`, { retryAfter });
}

/** The catalogue's code of an error, whichever process it was thrown in; undefined for anything unknown. */
export function errorCode(error: unknown): ErrorCode | undefined {
  if (!Error.isError(error) || !("type" in error)) return undefined;
  const { type } = error;
  return typeof type === "string" && Object.hasOwn(catalogue, type) ? (type as ErrorCode) : undefined; // checked by hasOwn
}
