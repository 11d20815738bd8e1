export interface RedisAddress {
  kind: "standalone" | "sentinel" | "cluster";
  nodes: { host: string; port: number }[];
  username?: string;
  password?: string;
  db?: number;
  tls: boolean;
  /** Sentinel's name of the master. */
  name?: string;
}

/**
 * Understands `redis://…`, a comma list of them for a cluster, and `redis+sentinel://[:password@]h1:p,h2:p/name`;
 * `rediss` for TLS. Throws where it is none of these.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const sentinel = /^(rediss?)\+sentinel:\/\/(?:([^@/]*)@)?([^/]+)\/([^/?]+)$/.exec(url);
  if (sentinel) {
    const [, scheme, userinfo = "", hosts = "", name] = sentinel;
    const [username, password] = userinfo.includes(":") ? userinfo.split(":") : [undefined, userinfo];
    return {
      kind: "sentinel",
      nodes: hosts.split(",").map((host) => hostPort(`redis://${host}`, 26_379)),
      username: username ? decodeURIComponent(username) : undefined,
      password: password ? decodeURIComponent(password) : undefined,
      tls: scheme === "rediss",
      name,
    };
  }
  const [first, ...rest] = url
    .split(",")
    .map((part) => new URL(part.includes("://") ? part : `redis://${part}`));
  if (!first || !/^rediss?:$/.test(first.protocol))
    throw new Error("expected redis://, rediss:// or redis+sentinel://");
  return {
    kind: rest.length > 0 ? "cluster" : "standalone",
    nodes: [first, ...rest].map(({ href }) => hostPort(href, 6_379)),
    username: decodeURIComponent(first.username) || undefined,
    password: decodeURIComponent(first.password) || undefined,
    db: Number(first.pathname.slice(1)) || undefined,
    tls: first.protocol === "rediss:",
  };
}

function hostPort(href: string, fallback: number): { host: string; port: number } {
  const { hostname, port } = new URL(href);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || fallback };
}
