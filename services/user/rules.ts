/**
 * fastest-validator rules of what a user chooses. The gateway checks requests with the same rules, so that a client
 * reads about its mistakes in one place.
 */

const LINE = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const NUL = /\0/;

interface TextRule {
  min?: number;
  line?: boolean;
  nullable?: boolean;
  refused?: RegExp;
}

/** Text that Postgres can store: no NUL and no lone surrogate. `line`: no control characters at all; `refused` says more. */
function text(
  max: number,
  { min = 0, line = true, nullable = true, refused = line ? LINE : NUL }: TextRule = {},
) {
  return {
    type: "string",
    trim: true,
    min,
    max,
    custom(value: unknown, errors: { type: string; expected?: unknown; actual?: unknown }[]) {
      // An optional rule lets null through unless it is told otherwise.
      if (value === null && !nullable) errors.push({ type: "string", actual: value });
      if (typeof value !== "string") return value;
      if (refused.test(value) || !value.isWellFormed()) {
        errors.push({ type: "characters", actual: value });
      }
      return value;
    },
    messages: { characters: "must not contain control characters or broken surrogate pairs" },
  } as const;
}

export const USERNAME = {
  type: "string",
  pattern: /^[A-Za-z0-9_]{1,15}$/,
  messages: { stringPattern: "must be 1 to 15 of A-Z, a-z, 0-9 and _" },
} as const;
export const PASSWORD = { type: "string", min: 8, max: 128 } as const;
export const NAME = text(50, { min: 1, nullable: false });
/** Of an app, on the page on which people trust it: nothing there may turn the text around it. */
export const APP_NAME = text(50, {
  min: 1,
  nullable: false,
  refused: /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u,
});
export const DESCRIPTION = { ...text(160, { line: false }), optional: true, nullable: true } as const;
export const LOCATION = { ...text(30), optional: true, nullable: true } as const;
export const URL_FIELD = {
  type: "string",
  max: 100,
  optional: true,
  nullable: true,
  custom(value: unknown, errors: { type: string; expected?: unknown; actual?: unknown }[]) {
    if (typeof value !== "string") return value;
    if (!/^https?:\/\/[\x21-\x7e]+$/i.test(value) || !URL.canParse(value))
      errors.push({ type: "url", actual: value });
    return value;
  },
  messages: { url: "must be a web address that begins with http:// or https://" },
} as const;
