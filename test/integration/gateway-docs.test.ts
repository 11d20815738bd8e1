import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { request } from "undici";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Roost } from "../support/roost.ts";
import { ourDocument } from "../support/x-api.ts";

const CHROMIUM = "/usr/bin/chromium";

/** What a browser has made of a page once its scripts have run. */
async function rendered(url: string): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), "roost-chromium-"));
  const options = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`];
  try {
    const asked = [...options, "--virtual-time-budget=10000", "--dump-dom", url];
    const { stdout } = await promisify(execFile)(CHROMIUM, asked, { maxBuffer: 64 << 20, timeout: 50_000 });
    return stdout;
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

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

  (existsSync(CHROMIUM) ? it : it.skip)("is shown by a browser, with every operation", async () => {
    const page = await rendered(`${url}/docs`);
    const shown = new Set([...page.matchAll(/id="operations-\w+-(\w+)"/g)].map(([, id]) => id));
    const operations = Object.values(ourDocument.paths).flatMap((methods) => Object.values(methods));
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids.filter((id) => !shown.has(id))).toEqual([]);
  });

  it("serves no other file of the package", async () => {
    for (const name of ["package.json", "..%2fpackage.json", "swagger-ui.js", "%2e%2e/package.json"])
      expect((await request(`${url}/docs/${name}`)).statusCode).toBe(404);
  });
});
