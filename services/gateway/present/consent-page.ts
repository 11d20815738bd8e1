import { hash } from "node:crypto";
import { type Scope, scopes as words } from "../../contracts/scopes.ts";

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:3rem auto;padding:0 1rem;color:#111;background:#fff}
label{display:block;margin:.75rem 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.4rem}
button{font:inherit;padding:.5rem 1rem;margin:1rem .5rem 0 0}[role=alert]{border-left:4px solid #b00020;padding-left:.75rem}
@media(prefers-color-scheme:dark){body{color:#eee;background:#111}}`;
const STYLE_SOURCE = `'sha256-${hash("sha256", STYLE, "base64")}'`;

/** What the consent page shows. */
export interface Consent {
  app: string;
  scopes: readonly Scope[];
  /** Who is signed in; without a name the page asks for it. */
  username?: string;
  /** What the form sends back: the app's request, and the token against forgery. */
  hidden: Record<string, string | undefined>;
  /** What went wrong with the answer before. */
  fault?: string;
}

/**
 * Headers of these pages: nothing but their own style is loaded, no other site frames them, and the form leads only here
 * and where the app wants its answer (browsers hold the redirect against form-action, too). Without a referrer policy of
 * its own, a browser would not say whose form it sends.
 */
export function pageHeaders(target?: string): Record<string, string> {
  return {
    "content-security-policy": `default-src 'none'; style-src ${STYLE_SOURCE}; form-action 'self'${target ? ` ${target}` : ""}; base-uri 'none'; frame-ancestors 'none'`,
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
  };
}

/** The page on which somebody allows an app something or refuses. Works without scripts. Pure. */
export function consentPage({ app, scopes, username, hidden, fault }: Consent): string {
  const fields = Object.entries(hidden).flatMap(([name, value]) =>
    value === undefined ? [] : `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`,
  );
  const who = username
    ? `<p>You are signed in as <strong>@${escaped(username)}</strong>.
<button name="decision" value="switch" formnovalidate>Somebody else</button></p>`
    : `<label>Username <input name="username" autocomplete="username" autocapitalize="none" required maxlength="15"></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required maxlength="128"></label>`;
  return page(
    `Allow ${app}?`,
    `<p><strong>${escaped(app)}</strong> asks for your permission to:</p>
<ul>
${scopes.map((scope) => `<li>${escaped(words[scope])}</li>`).join("\n")}
</ul>
${fault ? `<p role="alert">${escaped(fault)}</p>` : ""}
<form method="post">
${fields.join("\n")}
${who}
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny" formnovalidate>Cancel</button>
</form>`,
  );
}

/** A page that tells why an app's request cannot be answered, and leads nowhere. Pure. */
export function faultPage(detail: string): string {
  return page(
    "This does not work",
    `<p role="alert">${escaped(detail)}</p><p>Go back to the app and try again.</p>`,
  );
}

/** What a redirect holds for those who do not follow it by themselves. Pure. */
export function redirectPage(target: string): string {
  return page("Going back", `<p><a href="${escaped(target)}">Back to the app</a></p>`);
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${body}
</body>
</html>
`;
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}
