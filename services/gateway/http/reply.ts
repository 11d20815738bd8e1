import type { ServerResponse } from "node:http";

/** On every answer (after OWASP's REST Security Cheat Sheet; what is about TLS is the proxy's). */
export const SECURITY = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Ends a response; `headers` come on top of those that every reply has. */
export function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: Record<string, string | string[]>,
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...SECURITY, "content-length": Buffer.byteLength(body), ...headers });
  response.end(body);
}

/** Ends a response with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
  contentType = "application/json; charset=utf-8",
): void {
  send(response, status, JSON.stringify(body), { "content-type": contentType, ...headers });
}

/** Ends a response with a page. */
export function sendHtml(
  response: ServerResponse,
  status: number,
  html: string,
  headers: Record<string, string | string[]> = {},
): void {
  send(response, status, html, { "content-type": "text/html; charset=utf-8", ...headers });
}

/** Begins a response that is written piece by piece; no proxy is to keep any of it. */
export function startStream(
  response: ServerResponse,
  contentType: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(200, {
    ...SECURITY,
    "content-type": contentType,
    "x-accel-buffering": "no",
    ...headers,
  });
}
