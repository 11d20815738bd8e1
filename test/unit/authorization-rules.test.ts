import {
  authorizationFault,
  challengeMethod,
  scopesIn,
} from "../../services/user/oauth/authorization-rules.ts";

const good = {
  client_id: "an-app",
  redirect_uri: "https://app.example/callback",
  response_type: "code",
  scope: "tweet.read users.read",
  state: "some state",
  code_challenge: "c".repeat(43),
  code_challenge_method: "S256",
};

describe("a request for authorization", () => {
  it("is good with a code challenge and known scopes", () => {
    expect(authorizationFault(good)).toBeUndefined();
  });

  it("may name the method of its challenge in either case, as X's SDKs do, or not at all", () => {
    for (const code_challenge_method of ["s256", "S256", "plain", "PLAIN", undefined]) {
      expect(authorizationFault({ ...good, code_challenge_method })).toBeUndefined();
    }
    expect([challengeMethod("s256"), challengeMethod("Plain"), challengeMethod()]).toEqual([
      "S256",
      "plain",
      "plain",
    ]);
  });

  it.each([
    ["invalid_request", { response_type: undefined }],
    ["unsupported_response_type", { response_type: "token" }],
    ["invalid_request", { state: "é" }],
    ["invalid_request", { code_challenge: undefined }],
    ["invalid_request", { code_challenge: "short" }],
    ["invalid_request", { code_challenge_method: "constructor" }],
    ["invalid_scope", { scope: "" }],
    ["invalid_scope", { scope: "tweet.read tweet.everything" }],
  ])("is answered %s for %j", (error, fault) => {
    expect(authorizationFault({ ...good, ...fault })).toMatchObject({ error });
  });

  it("names scopes with spaces or commas, each once", () => {
    expect(scopesIn("users.read,tweet.read  users.read")).toEqual(["users.read", "tweet.read"]);
  });
});
