import { chooser } from "../../bench/load/mix.ts";
import { parseLoadOptions, parseMix } from "../../bench/load/options.ts";
import { seededRandom } from "../../bench/load/random.ts";
import { UsageError } from "../../config/command-line.ts";

const parse = (line: string, env: NodeJS.ProcessEnv = {}) =>
  parseLoadOptions(line.split(" ").filter(Boolean), env);

describe("options of the load", () => {
  it("has defaults for all but the graph", () => {
    expect(parse("--graph g.edges")).toMatchObject({
      graph: "g.edges",
      directed: false,
      mix: { home: 60, user: 30, compose: 10 },
      rate: undefined,
      seconds: 30,
      target: undefined,
      topology: "single",
      split: false,
      workers: 1,
      tolerateErrors: false,
    });
  });

  it("answers a call for help with nothing to do", () => {
    expect(parse("--help")).toBeUndefined();
  });

  it("finds the databases of a Roost that runs already", () => {
    const line = "--graph g --url http://127.0.0.1:3000/";
    const url = "http://127.0.0.1:3000";
    expect(parse(line)?.target).toEqual({ url, topologyFile: ".roost/topology.json" });
    expect(parse(line, { TOPOLOGY_FILE: "/t.json" })?.target).toEqual({ url, topologyFile: "/t.json" });
    expect(parse(`${line} --topology-file mine.json`, { TOPOLOGY_FILE: "/t.json" })?.target).toEqual({
      url,
      topologyFile: "mine.json",
    });
  });

  it.each([
    ["", "--graph"],
    ["--graph g --users 0", "--users"],
    ["--graph g --users many", "--users"],
    ["--graph g --rate 0", "--rate"],
    ["--graph g --seconds -1", "--seconds"],
    ["--graph g --seconds 1.5", "--seconds"],
    ["--graph g --concurrency 0", "--concurrency"],
    ["--graph g --topology round", "--topology"],
    ["--graph g --workers 65", "--workers"],
    ["--graph g --url localhost:3000", "--url"],
    ["--graph g --url http://h:1 --split", "--split"],
    ["--graph g --url http://h:1 --topology sharded", "--topology"],
    ["--graph g --topology-file t.json", "--topology-file"],
    ["--graph g --mix home", "--mix"],
    ["--graph g --fast", "--fast"],
    ["--graph g stray", "stray"],
  ])('refuses "%s" in one line that names %s', (line, named) => {
    let message = "";
    try {
      parse(line);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      message = String(error);
    }
    expect(message).toContain(named);
    expect(message).not.toContain("\n");
  });
});

describe("the mix", () => {
  it("leaves out what is not named", () => {
    expect(parseMix("home=3, compose=1")).toEqual({ home: 3, user: 0, compose: 1 });
  });

  it.each(["", "home", "home=", "home=-1", "home=x", "search=1", "home=1;user=2", "home=0,user=0"])(
    'refuses "%s"',
    (text) => {
      expect(() => parseMix(text)).toThrow(UsageError);
    },
  );

  it("is chosen by weight", () => {
    const choose = chooser({ home: 60, user: 30, compose: 10 }, seededRandom(7));
    const counts = { home: 0, user: 0, compose: 0 };
    for (let i = 0; i < 10_000; i++) counts[choose()]++;
    expect(counts.home / 10_000).toBeCloseTo(0.6, 1);
    expect(counts.user / 10_000).toBeCloseTo(0.3, 1);
    expect(counts.compose / 10_000).toBeCloseTo(0.1, 1);
  });

  it("never chooses what weighs nothing", () => {
    const choose = chooser({ home: 0, user: 1, compose: 0 }, seededRandom(1));
    expect(new Set(Array.from({ length: 100 }, choose))).toEqual(new Set(["user"]));
  });
});
