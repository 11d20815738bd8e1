import type { ServerResponse } from "node:http";
import type { Metrics } from "../../../mixins/metrics.ts";

type Observer = { observe(seconds: number): void };

/** Observes requests by method, route template and status; label sets that were seen are kept at hand. */
export class HttpMetrics {
  readonly #histogram: Metrics["httpDuration"];
  readonly #observers = new Map<string, Observer>();

  constructor({ httpDuration }: Pick<Metrics, "httpDuration">) {
    this.#histogram = httpDuration;
  }

  /** Watches one response; `routeOf` is asked at its end. */
  watch(response: ServerResponse, method: string, routeOf: () => string | undefined): void {
    const start = performance.now();
    response.once("finish", () => {
      const route = routeOf();
      this.#observer(route === undefined ? "ANY" : method, route ?? "none", response.statusCode).observe(
        (performance.now() - start) / 1_000,
      );
    });
  }

  #observer(method: string, route: string, status: number): Observer {
    const key = `${method} ${route} ${status}`;
    const known = this.#observers.get(key);
    if (known) return known;
    const made = this.#histogram.labels({ method, route, status: String(status) });
    this.#observers.set(key, made);
    return made;
  }
}
