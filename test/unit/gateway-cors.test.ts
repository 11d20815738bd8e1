import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { request } from "undici";
import { Cors } from "../../services/gateway/http/cors.ts";

const APP = "https://app.example";
const open: Server[] = [];
afterEach(() => Promise.all(open.splice(0).map((server) => new Promise((done) => server.close(done)))));

/** The answer of a server with these origins, which says 200 to whatever CORS does not answer. */
async function ask(
  origins: string[],
  path: string,
  method: "GET" | "OPTIONS",
  headers: Record<string, string>,
) {
  const cors = new Cors(origins);
  const server = createServer({ keepAliveTimeout: 1 }, (asked, response) => {
    if (!cors.answer(asked, response)) response.end("served");
  });
  open.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo; // of a TCP server
  const answer = await request(`http://127.0.0.1:${port}${path}`, { method, headers });
  await answer.body.dump();
  return { status: answer.statusCode, headers: answer.headers };
}

const preflight = (origin: string) => ({ origin, "access-control-request-method": "POST" });

describe("pages of other origins", () => {
  it("may call where they are named, without cookies, and read the limits", async () => {
    const { headers } = await ask([APP], "/2/tweets", "GET", { origin: APP });
    expect(headers).toMatchObject({
      "access-control-allow-origin": APP,
      "access-control-expose-headers": expect.stringContaining("x-rate-limit-reset"),
      vary: "origin",
    });
    expect(headers).not.toHaveProperty("access-control-allow-credentials");
  });

  it("learn before whether they may", async () => {
    const { status, headers } = await ask([APP], "/2/tweets", "OPTIONS", preflight(APP));
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      "access-control-allow-origin": APP,
      "access-control-allow-headers": expect.stringContaining("authorization"),
      "access-control-allow-methods": "GET, POST, PUT, DELETE",
    });
  });

  it.each([
    ["nobody is named", [], "/2/tweets", APP],
    ["the origin only looks alike", [APP], "/2/tweets", "https://app.example.evil.example"],
    ["the origin is a part of one that is named", [`${APP}:8443`], "/2/tweets", APP],
    ["the origin is hidden", [APP], "/2/tweets", "null"],
    ["it is not the API", [APP], "/health/ready", APP],
  ])("may not where %s", async (_, origins, path, origin) => {
    for (const [method, sent] of [
      ["GET", { origin }],
      ["OPTIONS", preflight(origin)],
    ] as const) {
      const { status, headers } = await ask(origins, path, method, sent);
      expect(status).toBe(200);
      expect(headers).not.toHaveProperty("access-control-allow-origin");
    }
  });

  it("may all, where the operator says so", async () => {
    const { headers } = await ask(["*"], "/2/tweets", "GET", { origin: "https://anywhere.example" });
    expect(headers["access-control-allow-origin"]).toBe("*");
    expect(headers).not.toHaveProperty("vary");
  });
});
