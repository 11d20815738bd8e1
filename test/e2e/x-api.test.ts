import { ourDocument } from "../support/x-api.ts";
import { begin, end, statusesOf } from "./x-api/walk.ts";
import "./x-api/identity.ts";
import "./x-api/users.ts";
import "./x-api/tweets.ts";
import "./x-api/lists.ts";
import "./x-api/streams.ts";

beforeAll(begin);
afterAll(end);

it("has asked every endpoint for what succeeds and for what fails", () => {
  const operations = Object.entries(ourDocument.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(operations.filter((operation) => !statusesOf(operation).some((status) => status < 300))).toEqual([]);
  expect(operations.filter((operation) => !statusesOf(operation).some((status) => status >= 400))).toEqual(
    [],
  );
});
