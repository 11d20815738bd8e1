import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Chromium, hasChromium } from "../support/chromium.ts";
import { Client } from "../support/client.ts";
import { consentPath, pkce } from "../support/oauth.ts";
import { Roost } from "../support/roost.ts";

(hasChromium ? describe : describe.skip)("the consent page in a browser", () => {
  let roost: Roost;
  let browser: Chromium;
  /** The app: it says what it was sent. */
  let app: Server;
  let url: string;
  let path: string;
  beforeAll(async () => {
    roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"] });
    url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
    app = createServer((_, response) => response.end("<title>the app</title>"));
    await once(app.listen(0, "127.0.0.1"), "listening");
    const { port } = app.address() as AddressInfo; // listens on TCP
    const redirect_uri = `http://127.0.0.1:${port}/cb`;
    const developer = await Client.signUp(url, "dev");
    const wish = { name: "An <i>app</i>", redirect_uris: [redirect_uri], type: "public" };
    const { body } = await developer.request("POST", "/auth/apps", wish);
    path = url + consentPath(Object(body.data).client_id, pkce().challenge, { redirect_uri });
    browser = await Chromium.start();
  });
  afterAll(async () => {
    await browser.stop();
    app.close();
    await roost.stop();
  });

  it("signs somebody in, and leads to the app with a code; the next time it knows them", async () => {
    await Client.signUp(url, "ann");
    await browser.open(path);
    await browser.until("document.querySelector('[name=password]') !== null");
    expect(await browser.evaluate("document.querySelector('h1').textContent")).toBe("Allow An <i>app</i>?");
    expect(await browser.evaluate("getComputedStyle(document.querySelector('label')).display")).toBe("block");
    await browser.evaluate(`
      document.querySelector('[name=username]').value = 'ann';
      document.querySelector('[name=password]').value = 'correct horse battery';
      document.querySelector('[value=allow]').click()`);
    await browser.until("document.title === 'the app'");
    expect(await browser.evaluate("location.search")).toMatch(/^\?code=rk_[^&]+&state=a\+state$/);

    await browser.open(path);
    await browser.until("document.body.textContent.includes('@ann')");
    await browser.evaluate("document.querySelector('[value=allow]').click()");
    await browser.until("document.title === 'the app'");
    expect(await browser.evaluate("location.search")).toMatch(/^\?code=/);

    await browser.open(path);
    await browser.until("document.body.textContent.includes('@ann')");
    await browser.evaluate("document.querySelector('[value=switch]').click()");
    await browser.until("document.querySelector('[name=password]') !== null");
    await browser.evaluate("document.querySelector('[value=deny]').click()");
    await browser.until("document.title === 'the app'");
    expect(await browser.evaluate("location.search")).toMatch(/^\?error=access_denied/);
  });
});
