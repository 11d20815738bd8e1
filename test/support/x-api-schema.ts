/** A document, or any part of one. */
type Json = unknown;
type Member = Record<string, Json>;

const isMember = (value: Json): value is Member =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every object in a document, changed by `change` from the inside out. */
function mapped(value: Json, change: (member: Member) => Member): Json {
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  if (!isMember(value)) return value;
  return change(
    Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mapped(inner, change)])),
  );
}

const BASE = "#/components/schemas/ProblemBase";
const PROBLEM = "#/components/schemas/Problem";

/**
 * OpenAPI 3.0's schemas as JSON Schema 2020-12: `nullable` becomes a type; of the discriminator of problems, each type
 * must be one of those listed, and what it stands for must hold. A 3.1 document has neither and stays as it is.
 */
export function inJsonSchema(document: object): object {
  const plain = Object(mapped(document, withoutNullable));
  const schemas: Member = plain.components.schemas;
  const problem = schemas.Problem;
  if (!isMember(problem) || !isMember(problem.discriminator)) return plain;
  const { discriminator, ...base } = problem;
  const kinds = Object.entries(Object(discriminator.mapping));
  const subtypes = new Set(kinds.map(([, ref]) => String(ref).split("/").at(-1) ?? ""));
  const own = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [
      name,
      subtypes.has(name)
        ? mapped(schema, (member) => (member.$ref === PROBLEM ? { $ref: BASE } : member))
        : schema,
    ]),
  );
  const Problem = {
    $ref: BASE,
    oneOf: kinds.map(([type, $ref]) => ({ $ref, properties: { type: { const: type } } })),
  };
  return { ...plain, components: { ...plain.components, schemas: { ...own, ProblemBase: base, Problem } } };
}

function withoutNullable({ nullable, ...member }: Member): Member {
  return nullable === true && typeof member.type === "string"
    ? { ...member, type: [member.type, "null"] }
    : { ...member, ...(typeof nullable === "object" ? { nullable } : {}) };
}

/**
 * The same document with objects that hold what they name and nothing else, so that a misspelt member is seen. Open stay
 * problems, which each server extends, `meta`, and X's responses, which bring more than they say (a new tweet's history).
 */
export function closed(document: object): object {
  const joined = new Set<string>();
  mapped(document, (member) => {
    for (const part of Array.isArray(member.allOf) ? member.allOf : []) joined.add(String(part.$ref));
    return member;
  });
  const schemas: Member = Object(document).components.schemas;
  const isOpen = (name: string) =>
    /Problem|Response$/.test(name) || joined.has(`#/components/schemas/${name}`);
  const shut = Object.entries(schemas).map(([name, schema]) => [name, isOpen(name) ? schema : close(schema)]);
  const paths = mapped(Object(document).paths, (member) =>
    isMember(member.schema) ? { ...member, schema: close(member.schema) } : member,
  );
  const components = { ...Object(document).components, schemas: Object.fromEntries(shut) };
  return { ...document, paths, components };
}

function close(schema: Json): Json {
  if (!isMember(schema)) return schema;
  const { properties, items } = schema;
  const inner = {
    ...schema,
    ...(items === undefined ? {} : { items: close(items) }),
    ...(isMember(properties) ? { properties: closeEach(properties) } : {}),
  };
  if (Array.isArray(schema.allOf)) return { ...inner, unevaluatedProperties: false };
  return isMember(properties) ? { additionalProperties: false, ...inner } : inner;
}

function closeEach(properties: Member): Member {
  return Object.fromEntries(
    Object.entries(properties).map(([name, member]) => [name, name === "meta" ? member : close(member)]),
  );
}
