import { isId } from "../../mixins/shard-db/ids.ts";

interface Fault {
  type: string;
  actual: unknown;
  message: string;
}

const checkId = (value: unknown, errors: Fault[]) => {
  if (!isId(value))
    errors.push({ type: "id", actual: value, message: "must be an id: a decimal number of up to 19 digits" });
  return value;
};

/** fastest-validator rule of an id: a decimal string of up to 63 bits. */
export const id = { type: "string", custom: checkId } as const;

export const optionalId = {
  type: "string",
  optional: true,
  // Runs for an absent value as well.
  custom: (value: unknown, errors: Fault[]) => (value === undefined ? value : checkId(value, errors)),
} as const;

export const optional = (type: "string" | "boolean" | "number") => ({ type, optional: true }) as const;

/** A list of at most `max` ids. */
export const idList = (max: number) => ({ type: "array", min: 1, max, items: id }) as const;
