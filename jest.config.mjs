const swc = ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2023" } }];
const base = {
  // json-schema-faker is an ES module and nothing else.
  transform: { "^.+\\.ts$": swc, "json-schema-faker/dist/index\\.js$": swc },
  transformIgnorePatterns: ["/node_modules/(?!json-schema-faker/)"],
  moduleNameMapper: { "^json-schema-faker$": "<rootDir>/node_modules/json-schema-faker/dist/index.js" },
  testEnvironment: "node",
};
const onServers = {
  ...base,
  globalSetup: "<rootDir>/test/support/global-setup.ts",
  globalTeardown: "<rootDir>/test/support/global-teardown.ts",
};

export default {
  testTimeout: 60_000,
  projects: [
    { ...base, displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"] },
    { ...onServers, displayName: "integration", testMatch: ["<rootDir>/test/integration/**/*.test.ts"] },
    { ...onServers, displayName: "model", testMatch: ["<rootDir>/test/model/**/*.test.ts"] },
    { ...onServers, displayName: "e2e", testMatch: ["<rootDir>/test/{e2e,chaos}/**/*.test.ts"] },
  ],
};
