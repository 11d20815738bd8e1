import { Errors } from "moleculer";
import { invalidField, RoostError, unavailable } from "../../services/contracts/errors.ts";
import { describe as describeError, notFound } from "../../services/gateway/problem.ts";

/** What an error looks like after it has crossed the broker. */
function remote(error: RoostError): Error {
  const { message, code, type, data } = error;
  return Object.assign(new Error(message), {
    name: "RoostError",
    code,
    type,
    data: JSON.parse(JSON.stringify(data)),
  });
}

describe("problems", () => {
  it("carry the catalogue's status, type and title", () => {
    const { problem, unexpected } = describeError(invalidField("username", "x", "is taken", "CONFLICT"));
    expect(problem).toMatchObject({
      status: 409,
      type: "https://api.twitter.com/2/problems/conflict",
      title: "Conflict",
      errors: [{ message: "is taken", parameters: { username: ["x"] } }],
    });
    expect(unexpected).toBe(false);
  });

  it("are the same for an error from another process", () => {
    const error = invalidField("text", "", "must not be empty");
    expect(describeError(remote(error))).toEqual(describeError(error));
  });

  it.each([
    [new Errors.ServiceNotFoundError({ action: "user.get" }), 503],
    [new Errors.ServiceNotAvailableError({ action: "user.get" }), 503],
    [new Errors.RequestTimeoutError({ action: "user.get", nodeID: "secret-node" }), 503],
    [new Errors.RequestRejectedError({ action: "user.get", nodeID: "secret-node" }), 503],
    [new Errors.QueueIsFullError({ action: "user.get", nodeID: "secret-node", size: 1, limit: 1 }), 503],
    [unavailable("Database shard s0", 3), 503],
    [new RoostError("TOO_MANY_REQUESTS", "slow down", { retryAfter: 9 }), 429],
  ])("%s says when to come again", (error, status) => {
    const { problem, headers } = describeError(error);
    expect(problem.status).toBe(status);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    expect(JSON.stringify(problem)).not.toContain("secret-node");
  });

  it.each([
    new Error("password=hunter2 at /srv/roost"),
    new Errors.MoleculerError("hunter2", 418, "TEAPOT", { hunter2: true }),
    Object.assign(new Error("hunter2"), { code: 404, type: "toString", data: { detail: "hunter2" } }),
    new RoostError("INTERNAL", "hunter2"),
    "hunter2",
    undefined,
    null,
  ])("show nothing of an unknown error: %p", (error) => {
    const { problem, unexpected } = describeError(error);
    expect(unexpected).toBe(true);
    expect(problem.status).toBe(500);
    expect(JSON.stringify(problem)).not.toContain("hunter2");
  });

  it("name the fields that a service's own validation refused, by the API's names", () => {
    const fault = {
      type: "number",
      message: "must be a number",
      field: "limit",
      actual: "x",
      nodeID: "secret-node",
    };
    const { problem } = describeError(
      new Errors.ValidationError("Parameters validation error!", "", [fault]),
    );
    expect(problem.status).toBe(400);
    expect(problem.errors).toEqual([{ message: "must be a number", parameters: { max_results: ["x"] } }]);
    expect(JSON.stringify(problem)).not.toContain("secret-node");
  });

  it("turn a service's 404 into the X API's problem of the resource", () => {
    const error = new RoostError("NOT_FOUND", "Could not find tweet with id: [1].", {
      errors: [{ message: "names no tweet", parameters: { id: ["1"] } }],
    });
    expect(describeError(error, "tweet")).toEqual(describeError(notFound("tweet", "id", "1")));
    expect(describeError(error, "tweet").problem).toMatchObject({
      status: 404,
      title: "Not Found Error",
      type: "https://api.twitter.com/2/problems/resource-not-found",
      resource_type: "tweet",
      resource_id: "1",
      parameter: "id",
      value: "1",
    });
  });

  it("take from foreign error data only what has the right shape", () => {
    const error = Object.assign(new Error("x"), {
      type: "CONFLICT",
      data: { detail: 7, errors: "no", stack: "secret" },
    });
    const { problem } = describeError(error);
    expect(problem).toEqual({
      type: "https://api.twitter.com/2/problems/conflict",
      title: "Conflict",
      status: 409,
      detail: "Conflict",
    });
  });

  it("ask a signed-out client for a bearer token", () => {
    expect(describeError(new RoostError("UNAUTHORIZED", "sign in")).headers["www-authenticate"]).toBe(
      "Bearer",
    );
  });
});
