/** What checks this code is the same everywhere: exact versions, with checksums and no addresses. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

test("every tool is pinned, and the app itself depends on none", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  assert.equal(dependencies, undefined);
  for (const version of Object.values(devDependencies)) assert.match(version, /^\d+\.\d+\.\d+$/);
});

test("the lock file holds checksums, and names no server", () => {
  const text = read("package-lock.json");
  assert.doesNotMatch(text, /:\/\//);
  const { "": own, ...packages } = JSON.parse(text).packages;
  assert.deepEqual(own.devDependencies, JSON.parse(read("package.json")).devDependencies);
  for (const [name, { integrity }] of Object.entries(packages)) assert.ok(integrity, name);
});
