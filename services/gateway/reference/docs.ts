import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Endpoint } from "../endpoint.ts";
import { send } from "../http/reply.ts";
import { openApiDocument } from "./openapi.ts";

const UI = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const CACHED = { "cache-control": "public, max-age=3600" };

/** What the page at /docs loads, and nothing but it: scripts and styles of our own, requests to this server. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Roost API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  oauth2RedirectUrl: location.origin + "/docs/oauth2-redirect.html",
});
`;

/** What the page needs of swagger-ui-dist, by content type. */
const FILES = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "oauth2-redirect.html": "text/html; charset=utf-8",
  "oauth2-redirect.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

/** `openapi.json`: the reference of some endpoints. `docs`: a page that shows it and sends requests to this server. */
export function docsEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  const document = JSON.stringify(openApiDocument(endpoints));
  return [
    // The second is the X API's own place for it.
    file("openapi.json", "application/json; charset=utf-8", async () => document),
    file("2/openapi.json", "application/json; charset=utf-8", async () => document),
    file("docs", "text/html; charset=utf-8", async () => PAGE, POLICY),
    file("docs/start.js", "text/javascript; charset=utf-8", async () => START, POLICY),
    ...Object.entries(FILES).map(([name, type]) =>
      file(
        `docs/${name}`,
        type,
        once(() => readFile(join(UI, name))),
        POLICY,
      ),
    ),
  ];
}

/** What is the same for everyone; limited by IP. */
function file(
  path: string,
  type: string,
  content: () => Promise<string | Buffer>,
  policy?: string,
): Endpoint {
  return {
    method: "GET",
    path,
    async serve({ request, response }, admission) {
      await admission.admitAnyone(request, response, "read");
      const headers = { ...CACHED, "content-type": type };
      const restricted = policy ? { ...headers, "content-security-policy": policy } : headers;
      send(response, 200, await content(), restricted);
    },
  };
}

/** Reads when it is first asked for; again after a failure. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined;
  return () => {
    kept ??= read().catch((error) => {
      kept = undefined;
      throw error;
    });
    return kept;
  };
}
