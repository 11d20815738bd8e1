import FastestValidator, { type ValidationError, type ValidationRuleObject } from "fastest-validator";
import { limits } from "../../config/limits.ts";
import { isId } from "../../mixins/shard-db/ids.ts";
import type { FieldError } from "../contracts/errors.ts";
import type { Id } from "../contracts/users.ts";
import { isTime } from "../contracts/validators.ts";
import { fieldError, invalidRequest } from "./problem.ts";
import type { JsonSchema } from "./schema.ts";

/** The rule of one parameter, and the type it has once it has passed. */
export interface Field<T> {
  readonly rule: ValidationRuleObject;
  /** What a client sends, for the reference, or absent from it; in a query, a list stands for its items and commas. */
  readonly schema?: JsonSchema;
  /** Whether its rule looks into lists and objects; otherwise it takes none. */
  readonly nested?: boolean;
  /** Where the parameter is an object: what it may hold. */
  readonly part?: Shape<T>;
  /** Never set: carries the type. */
  readonly type?: T;
}

/** The parameters of one place (path, query, headers or body); anything else there is refused. */
export interface Shape<T> {
  /** Checks and converts in place. Throws 400 that names every faulty parameter, in the words of `told`. */
  parse(raw: Record<string, unknown>, told?: (fault: FieldError) => FieldError): T;
  /** Checks and converts in place; what is wrong, under its name. */
  faults(raw: Record<string, unknown>): FieldError[];
  /** What may be sent in this place: an object with a property for each parameter. */
  readonly schema: JsonSchema & { properties: Record<string, JsonSchema> };
}

/** Reports at most this many faults of one place. */
const MAX_ERRORS = 20;
// Its types describe an ES module, but it is CommonJS.
const Validator = FastestValidator as unknown as typeof FastestValidator.default;
// An optional parameter may be absent, but null only where its rule says so.
const validator = new Validator({
  useNewCustomCheckerFunction: true,
  considerNullAsAValue: true,
  messages: {
    string: "must be a string",
    stringMin: "must be at least {expected} characters long",
    stringMax: "must be at most {expected} characters long",
  },
});
/** Never repeated in an answer. */
const SECRET = new Set(["password", "refresh_token"]);

/** Compiles the rules of one place. */
export function shape<T extends object>(fields: { [K in keyof T]: Field<T[K]> }): Shape<T> {
  const entries = Object.entries<Field<unknown>>(fields);
  const known = new Set(entries.map(([name]) => name));
  const check = validator.compile(
    Object.fromEntries(entries.map(([name, { rule }]) => [name, { nullable: false, ...rule }])),
  );
  const flat = new Set(entries.flatMap(([name, { nested = false, part }]) => (nested || part ? [] : name)));
  const parts = new Map(entries.flatMap(([name, { part }]) => (part ? [[name, part] as const] : [])));
  const faults = (raw: Record<string, unknown>): FieldError[] => {
    const names = Object.keys(raw);
    const errors = names
      .filter((name) => !known.has(name))
      .map((name) => fieldError(name, raw[name], "is not a known parameter"));
    // Other parameters take none, and messages about a deeply nested one would overflow the stack.
    const nested = names.filter(
      (name) => flat.has(name) && typeof raw[name] === "object" && raw[name] !== null,
    );
    errors.push(...nested.map((name) => fieldError(name, raw[name], "must not be a list or an object")));
    for (const [name, part] of parts) errors.push(...faultsOfPart(name, raw[name], part));
    const found = nested.length === 0 ? check(raw) : true;
    if (Array.isArray(found)) errors.push(...found.map((fault) => toFieldError(fault, raw)));
    return errors;
  };
  return {
    faults,
    schema: schemaOf(entries),
    parse(raw, told = (fault) => fault) {
      const errors = faults(raw);
      if (errors.length > 0) throw invalidRequest(errors.slice(0, MAX_ERRORS).map(told));
      return raw as T; // every field of T has just passed the rule that carries its type
    },
  };
}

function schemaOf(fields: [string, Field<unknown>][]): Shape<unknown>["schema"] {
  const required = fields.flatMap(([name, { rule }]) =>
    rule.optional === true || rule.default !== undefined ? [] : name,
  );
  return {
    type: "object",
    properties: Object.fromEntries(fields.flatMap(([name, { schema }]) => (schema ? [[name, schema]] : []))),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function faultsOfPart(name: string, value: unknown, part: Shape<unknown>): FieldError[] {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object" || Array.isArray(value))
    return [fieldError(name, value, "must be an object")];
  // Its fields are converted in place: the object itself, not a copy.
  return part.faults(value as Record<string, unknown>).map(({ message, parameters }) => ({
    message,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([inner, shown]) => [`${name}.${inner}`, shown]),
    ),
  }));
}

function toFieldError(fault: ValidationError, raw: Record<string, unknown>): FieldError {
  const { field, type, message = "is not valid" } = fault;
  return fieldError(
    field,
    SECRET.has(field) ? undefined : raw[field],
    type === "required" ? "is required" : message,
  );
}

/** A field with a rule of fastest-validator as it stands; `more` says what the rule's own words do not. */
export function field<T>(rule: ValidationRuleObject, more: JsonSchema = {}): Field<T> {
  return { rule, schema: { ...schemaOfRule(rule), ...more } };
}

const JSON_TYPES = ["string", "number", "boolean"] as const;

function schemaOfRule({
  type,
  nullable,
  min,
  max,
  pattern,
  integer,
  values,
}: ValidationRuleObject): JsonSchema {
  const [least, most] = type === "string" ? ["minLength", "maxLength"] : ["minimum", "maximum"];
  const json = type === "number" && integer ? "integer" : JSON_TYPES.find((known) => known === type);
  return {
    ...(json && { type: nullable ? [json, "null"] : json }),
    ...(values && { enum: values }),
    ...(min === undefined ? {} : { [least]: min }),
    ...(max === undefined ? {} : { [most]: max }),
    ...(pattern instanceof RegExp && { pattern: pattern.source }),
  };
}

/** A field that is decoded from the text a client sent; `decode` answers undefined where that is not valid. */
export function decoded<T>(
  message: string,
  schema: JsonSchema,
  decode: (raw: string) => T | undefined,
): Field<T> {
  return {
    schema,
    rule: {
      type: "custom",
      messages: { invalid: message },
      check(raw: unknown, errors: { type: string; actual: unknown }[]) {
        const value = typeof raw === "string" ? decode(raw) : undefined;
        if (value === undefined) errors.push({ type: "invalid", actual: raw });
        return value ?? raw;
      },
    },
  };
}

/** A field that is an object of its own shape. */
export function part<T extends object>(fields: Shape<T>): Field<T> {
  return { rule: { type: "any" }, part: fields, schema: fields.schema };
}

/** A list of 1 to `max` texts, each checked by the action that gets them. */
export function texts(max: number, items: JsonSchema): Field<string[]> {
  return {
    rule: { type: "array", min: 1, max, items: { type: "string", max: 2_000 } },
    schema: { type: "array", items, minItems: 1, maxItems: max },
    nested: true,
  };
}

export function optional<T>(field: Field<T>): Field<T | undefined> {
  return { ...field, rule: { ...field.rule, optional: true } };
}

/** A field that null clears. */
export function nullable<T>({ rule, schema, ...field }: Field<T>): Field<T | null> {
  const { type } = schema ?? {};
  return {
    ...field,
    rule: { ...rule, nullable: true },
    schema: { ...schema, ...(typeof type === "string" ? { type: [type, "null"] } : {}) },
  };
}

/** What the reference says of a field. */
export function described<T>(field: Field<T>, description: string): Field<T> {
  return { ...field, schema: { ...field.schema, description } };
}

export function withDefault<T>({ rule, schema, ...field }: Field<T>, value: T): Field<T> {
  // What a list of names is decoded to is not what a client sends.
  const shown = typeof value === "object" ? {} : { default: value };
  return { ...field, rule: { ...rule, default: value }, schema: { ...schema, ...shown } };
}

const ID = { type: "string", pattern: "^[0-9]{1,19}$", examples: ["2244994945"] } as const;
export const id: Field<Id> = decoded("must be an id: 1 to 19 digits", ID, (raw) =>
  isId(raw) ? raw : undefined,
);

/** A list of at most `max` ids, in a body. */
export function idsInBody(max: number): Field<Id[]> {
  return {
    nested: true,
    schema: { type: "array", items: ID, maxItems: max },
    rule: custom(
      `must be a list of at most ${max} ids`,
      (raw) => Array.isArray(raw) && raw.length <= max && raw.every(isId),
    ),
  };
}

/**
 * A parameter of the X API for what Roost does not have: refused by its name, except for the value that asks for nothing.
 * The reference does not have it.
 */
export function unsupported(reason: string, nothing?: unknown): Field<unknown> {
  const isNothing = (raw: unknown) => nothing !== undefined && raw === nothing;
  return { nested: true, rule: { ...custom(`is not supported: ${reason}`, isNothing), optional: true } };
}

function custom(message: string, isValid: (raw: unknown) => boolean): ValidationRuleObject {
  return {
    type: "custom",
    messages: { invalid: message },
    check(raw: unknown, errors: { type: string; actual: unknown }[]) {
      if (!isValid(raw)) errors.push({ type: "invalid", actual: raw });
      return raw;
    },
  };
}

/** One or more distinct values of an enumeration, separated by commas. */
export function someOf<T extends string>(known: readonly T[]): Field<T[]> {
  const schema = {
    type: "array",
    items: { type: "string", enum: known },
    minItems: 1,
    uniqueItems: true,
  } as const;
  return decoded(`must be one or more of ${known.join(", ")}, separated by commas`, schema, (raw) => {
    const items = raw.split(",", known.length + 1);
    const found = known.filter((name) => items.includes(name));
    return found.length === items.length ? found : undefined;
  });
}

/** 1–100 distinct values, separated by commas. */
function list(what: string, items: JsonSchema, isValid: (item: string) => boolean): Field<string[]> {
  const schema = { type: "array", items, minItems: 1, maxItems: limits.lookup, uniqueItems: true } as const;
  return decoded(`must be 1 to ${limits.lookup} distinct ${what}, separated by commas`, schema, (raw) => {
    const items = raw.split(",", limits.lookup + 1);
    const right =
      items.length <= limits.lookup && items.every(isValid) && new Set(items).size === items.length;
    return right ? items : undefined;
  });
}

const HANDLE = /^[A-Za-z0-9_]{1,15}$/;
const NAME = { type: "string", pattern: HANDLE.source } as const;
const isUsername = (raw: string): boolean => HANDLE.test(raw);
export const ids = list("ids", ID, isId);
export const usernames = list("usernames", NAME, isUsername);
export const username: Field<string> = decoded("must be 1 to 15 of A-Z, a-z, 0-9 and _", NAME, (raw) =>
  isUsername(raw) ? raw : undefined,
);

/** A whole number, strictly decimal. */
export function pageSize({
  min,
  max,
  default: usual,
}: {
  min: number;
  max: number;
  default: number;
}): Field<number> {
  const schema = { type: "integer", minimum: min, maximum: max } as const;
  const size = decoded(`must be a whole number from ${min} to ${max}`, schema, (raw) => {
    const value = /^(0|[1-9][0-9]{0,3})$/.test(raw) ? Number(raw) : -1;
    return value >= min && value <= max ? value : undefined;
  });
  return withDefault(size, usual);
}

/** A time in UTC, as the X API writes it. */
export const time: Field<string> = decoded(
  "must be a UTC time: YYYY-MM-DDTHH:mm:ssZ",
  { type: "string", format: "date-time", examples: ["2026-01-31T12:00:00Z"] },
  (raw) => (isTime(raw) ? raw : undefined),
);

/** Text that a pattern decides about. */
function matching(pattern: RegExp, message: string, description: string): Field<string> {
  const schema = { type: "string", pattern: pattern.source, description } as const;
  return decoded(message, schema, (raw) => (pattern.test(raw) ? raw : undefined));
}

export const paginationToken = optional(
  matching(
    /^[A-Za-z0-9_.~:=-]{1,512}$/,
    "must be a token of an earlier page",
    "`next_token` or `previous_token` of an earlier page.",
  ),
);

export const idempotencyKey = optional(
  matching(
    /^[\x20-\x7e]{1,128}$/,
    "must be 1 to 128 printable ASCII characters",
    "The same key makes the same tweet once, however often the request is sent within 24 hours.",
  ),
);

/** Text that any part of the system can store: no NUL, no lone surrogate. */
export const text: Field<string> = decoded(
  "must be non-empty text in valid Unicode, without NUL",
  { type: "string", minLength: 1 },
  (raw) => (raw !== "" && raw.isWellFormed() && !raw.includes("\0") ? raw : undefined),
);

export const uuid = matching(
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  "must be a UUID",
  "A UUID, in lower case",
);

export const clientId = matching(
  /^rc_[0-9a-f]{3}_[A-Za-z0-9_-]{22}$/,
  "must be the client_id of an app",
  "The client_id of an app",
);
