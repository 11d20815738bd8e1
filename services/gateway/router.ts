import { decodeSegment } from "./http/query.ts";
import { GatewayError } from "./problem.ts";

/** What the router needs to know of a route. */
export interface Routed {
  method: string;
  /** With a leading slash; `:name` is a parameter. */
  fullPath: string;
}

interface Node<R> {
  /** Fixed segments win over a parameter. */
  fixed: Map<string, Node<R>>;
  parameter?: Node<R>;
  routes: Map<string, { route: R; names: string[] }>;
}

export interface Match<R> {
  alias: R;
  params: Record<string, string>;
}

/** A path that leads nowhere is not a resource of the X API that is missing. */
const NO_RESOURCE = { type: "about:blank", title: "Not Found" };

const node = <R>(): Node<R> => ({ fixed: new Map(), routes: new Map() });

/** Finds the route of a method and path by their segments, in time that does not grow with the number of routes. */
export class Router<R extends Routed> {
  readonly #root = node<R>();

  constructor(routes: Iterable<R>) {
    for (const route of routes) this.#add(route);
  }

  /** Throws 404 where no route has the path, 405 (with Allow) where one has, with another method. HEAD is like GET. */
  find(path: string, method: string): Match<R> {
    const values: string[] = [];
    const found = this.#walk(this.#root, path.split("/"), 1, values);
    if (!found)
      throw new GatewayError("NOT_FOUND", "There is nothing under this path.", { members: NO_RESOURCE });
    const entry = found.routes.get(method === "HEAD" ? "GET" : method);
    if (!entry) {
      const allow = [...found.routes.keys()]
        .flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : name))
        .join(", ");
      throw new GatewayError("METHOD_NOT_ALLOWED", `This path answers ${allow}.`, { headers: { allow } });
    }
    const params: Record<string, string> = {};
    for (const [i, name] of entry.names.entries()) params[name] = decodeSegment(values[i] ?? "", name);
    return { alias: entry.route, params };
  }

  #add(route: R): void {
    const names: string[] = [];
    let at = this.#root;
    for (const segment of route.fullPath.split("/").slice(1)) {
      if (segment.startsWith(":")) {
        names.push(segment.slice(1));
        at.parameter ??= node();
        at = at.parameter;
      } else {
        const next = at.fixed.get(segment) ?? node<R>();
        at.fixed.set(segment, next);
        at = next;
      }
    }
    at.routes.set(route.method, { route, names });
  }

  #walk(from: Node<R>, segments: string[], at: number, values: string[]): Node<R> | undefined {
    const segment = segments[at];
    if (segment === undefined) return from.routes.size > 0 ? from : undefined;
    const fixed = from.fixed.get(segment);
    const found = fixed && this.#walk(fixed, segments, at + 1, values);
    if (found || !from.parameter || segment === "") return found;
    values.push(segment);
    const below = this.#walk(from.parameter, segments, at + 1, values);
    if (!below) values.pop();
    return below;
  }
}
