import { UsageError } from "../../config/command-line.ts";
import { deadLettersCommand, requestOf } from "../../services/operator/dead-letters.ts";

const ID = "1990000000000000000";

describe("the arguments of npm run dead-letters", () => {
  const read = (line: string) => deadLettersCommand.read(line.split(" ").filter((word) => word !== ""));
  const plain = { all: false, json: false };

  it("ask for a list, or for a replay of some or all", () => {
    expect(requestOf(["list"], plain)).toEqual({ list: "text" });
    expect(requestOf(["list"], { ...plain, json: true })).toEqual({ list: "json" });
    expect(requestOf(["replay", ID, "7", ID], plain)).toEqual({ replay: [ID, "7"] });
    expect(requestOf(["replay"], { ...plain, all: true })).toEqual({ replay: "all" });
  });

  it("name the databases", () => {
    expect(read("list")?.topologyFile).toBeUndefined();
    expect(read("list --topology-file t.json")?.topologyFile).toBe("t.json");
  });

  it("ask for help", () => {
    expect(read("replay --help")).toBeUndefined();
  });

  it.each([
    ["", 'expected list or replay, got ""'],
    ["purge", 'expected list or replay, got "purge"'],
    [`list ${ID}`, `list: takes no ids, got "${ID}"`],
    ["list --all", "--all: goes with replay"],
    ["replay", "replay: expected either ids or --all"],
    [`replay ${ID} --all`, "replay: expected either ids or --all"],
    ["replay --all --json", "--json: goes with list"],
    [`replay ${ID} 12x`, 'replay: not an id: "12x"'],
    ["replay 99999999999999999999", 'replay: not an id: "99999999999999999999"'],
    ["list --force", "Unknown option '--force'"],
  ])('"%s" is refused in one line', (line, message) => {
    expect(() => read(line)).toThrow(UsageError);
    expect(() => read(line)).toThrow(message);
  });
});
