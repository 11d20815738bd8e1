import { UsageError } from "../../config/command-line.ts";
import { parseOptions } from "../../stack/options.ts";

describe("the options of npm start", () => {
  test("without any, one process on the stack as it was, data in .roost, port 3000", () => {
    expect(parseOptions([])).toEqual({
      topology: undefined,
      replicas: undefined,
      sync: undefined,
      split: false,
      workers: 1,
      port: 3000,
      dataDir: ".roost",
      repl: true,
      help: false,
    });
  });

  test("each is taken", () => {
    const args =
      "--topology sharded --replicas 2 --sync --split --workers 3 --port 8080 --data /d --no-repl".split(" ");
    expect(parseOptions(args)).toMatchObject({
      topology: "sharded",
      replicas: 2,
      sync: true,
      split: true,
      workers: 3,
      port: 8080,
      dataDir: "/d",
      repl: false,
    });
  });

  test.each([
    [["--topology", "ring"], '--topology: expected single, replicas, sharded, got "ring"'],
    [["--replicas", "11"], '--replicas: expected a whole number from 0 to 10, got "11"'],
    [["--workers", "0"], '--workers: expected a whole number from 1 to 64, got "0"'],
    [["--port", "http"], '--port: expected a whole number from 1 to 65535, got "http"'],
    [["--port", "1e3"], '--port: expected a whole number from 1 to 65535, got "1e3"'],
    [["--colour"], "Unknown option '--colour'"],
    [["sharded"], "Unexpected argument 'sharded'"],
    [["--replicas", "-1"], "Option '--replicas' argument is ambiguous"],
  ])("%j is refused in one line", (args, message) => {
    expect(() => parseOptions(args)).toThrow(new UsageError(message));
  });
});
