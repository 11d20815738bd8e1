import { request } from "undici";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Roost } from "../support/roost.ts";
import { ourDocument } from "../support/x-api.ts";

describe("the reference", () => {
  let roost: Roost;
  let url: string;
  beforeAll(async () => {
    roost = await Roost.start({ services: ["gateway"] });
    url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  });
  afterAll(() => roost.stop());

  it("is served as it is generated", async () => {
    const { statusCode, headers, body } = await request(`${url}/openapi.json`);
    expect(statusCode).toBe(200);
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(await body.json()).toEqual(JSON.parse(JSON.stringify(ourDocument)));
  });

  it("has a page that loads nothing from elsewhere", async () => {
    const page = await request(`${url}/docs`);
    expect(page.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": expect.stringMatching(/default-src 'none'; script-src 'self';/),
      "x-content-type-options": "nosniff",
    });
    const html = await page.body.text();
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? "");
    expect(loaded).toHaveLength(4);
    for (const path of loaded) {
      const { statusCode, headers, body } = await request(url + path);
      expect([path, statusCode]).toEqual([path, 200]);
      expect(headers["content-type"]).toMatch(
        path.endsWith(".js") ? /^text\/javascript/ : path.endsWith(".css") ? /^text\/css/ : /^image\/png/,
      );
      expect((await body.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  it("serves no other file of the package", async () => {
    for (const name of ["package.json", "..%2fpackage.json", "swagger-ui.js", "%2e%2e/package.json"])
      expect((await request(`${url}/docs/${name}`)).statusCode).toBe(404);
  });
});
