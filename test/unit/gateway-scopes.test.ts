import { existsSync, readFileSync } from "node:fs";
import { callerOf, requireApp, requireUser } from "../../services/gateway/caller.ts";
import { endpoints } from "../../services/gateway/routes.ts";

const X_DOCUMENT = new URL("../../../shared/x-api/openapi-2.159.json", `file://${__filename}`).pathname;
const describeWithX = existsSync(X_DOCUMENT) ? describe : describe.skip;

interface Operation {
  security?: Record<string, string[]>[];
}

describe("an access token", () => {
  const sessionId = "3aecdfa2-1a1b-4065-b0b8-de6f1cd7b7bf";
  const person = { userId: "2124447432056205312", sessionId };
  const throughApp = { ...person, clientId: "rc_000_A", scopes: ["tweet.read" as const] };
  const app = { sessionId, clientId: "rc_000_A" };

  it("of a first-party session has every scope", () => {
    expect(callerOf(person, ["tweet.write"])).toEqual({ viewer: person });
    expect(callerOf(person, undefined)).toEqual({ viewer: person });
  });

  it("of an app has what the app was granted, and the refusal names what it lacks", () => {
    expect(callerOf(throughApp, ["tweet.read"])).toEqual({ viewer: throughApp });
    expect(() => callerOf(throughApp, ["tweet.read", "tweet.write", "users.read"])).toThrow(
      "The access token lacks the scopes tweet.write users.read.",
    );
  });

  it("of an app never opens what no scope stands for", () => {
    expect(() => callerOf(throughApp, undefined)).toThrow("No app may do this for a user");
  });

  it("of an app by itself is no user, and that of a user no app", () => {
    expect(requireApp(callerOf(app, ["tweet.read"]))).toEqual({ app: { clientId: app.clientId } });
    expect(() => requireUser(callerOf(app, ["tweet.read"]))).toThrow(
      "OAuth 2.0 Application-Only is forbidden",
    );
    expect(() => requireApp(callerOf(person, []))).toThrow("OAuth 2.0 User Context is forbidden");
  });
});

describeWithX("every endpoint that the X API has", () => {
  const { paths }: { paths: Record<string, Record<string, Operation>> } = existsSync(X_DOCUMENT)
    ? JSON.parse(readFileSync(X_DOCUMENT, "utf8"))
    : { paths: {} };
  const byForm = new Map(
    Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => [formOf(method, path), operation]),
    ),
  );
  const known = endpoints.flatMap(({ method, path, documented }) => {
    const { access, scopes = [] } = documented ?? {};
    const operation = byForm.get(formOf(method, `/${path}`));
    return operation ? [{ name: `${method} /${path}`, access, scopes, operation }] : [];
  });

  it.each(known)("$name takes the tokens and the scopes that X takes", ({ access, scopes, operation }) => {
    const security = operation.security ?? [];
    const user = security.find((scheme) => "OAuth2UserToken" in scheme);
    const appOnly = security.some((scheme) => "BearerToken" in scheme);
    // What X keeps for apps by themselves may also be open to who signed in here, but to no app for a user.
    const expected = appOnly ? (user ? ["reader"] : ["app", "reader"]) : [user ? "user" : "anyone"];
    expect(expected).toContain(access);
    expect([...scopes].sort()).toEqual([...(user?.OAuth2UserToken ?? [])].sort());
  });
});

/** Parameters are named differently: their places are what counts. */
function formOf(method: string, path: string): string {
  return `${method.toLowerCase()} ${path.replace(/\{[^}]+\}|:\w+/g, "*")}`;
}
