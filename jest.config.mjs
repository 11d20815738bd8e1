const base = {
  transform: { "^.+\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2023" } }] },
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
