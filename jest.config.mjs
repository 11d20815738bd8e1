const swc = ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2023" } }];
const base = {
  // These are ES modules and nothing else, and jest requires.
  transform: { "^.+\\.ts$": swc, "/node_modules/(json-schema-faker|eld)/.+\\.js$": swc },
  transformIgnorePatterns: ["/node_modules/(?!(json-schema-faker|eld)/)"],
  moduleNameMapper: {
    "^json-schema-faker$": "<rootDir>/node_modules/json-schema-faker/dist/index.js",
    "^eld/small$": "<rootDir>/node_modules/eld/src/entries/static.small.js",
  },
  testEnvironment: "node",
};
const onServers = {
  ...base,
  globalSetup: "<rootDir>/test/support/global-setup.ts",
  globalTeardown: "<rootDir>/test/support/global-teardown.ts",
};

export default {
  testTimeout: 240_000,
  maxWorkers: 2,
  projects: [
    { ...base, displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"] },
    { ...onServers, displayName: "integration", testMatch: ["<rootDir>/test/integration/**/*.test.ts"] },
    { ...onServers, displayName: "model", testMatch: ["<rootDir>/test/model/**/*.test.ts"] },
    { ...onServers, displayName: "e2e", testMatch: ["<rootDir>/test/{e2e,chaos}/**/*.test.ts"] },
  ],
};
