import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../vendor/", import.meta.url);
const read = (file) => readFileSync(new URL(file, folder), "utf8");
const { packages, joined } = JSON.parse(read("lock.json"));
const files = [...packages.flatMap((one) => one.files), ...joined].filter(({ file }) => file !== undefined);

for (const { file, sha256 } of files) {
  test(`vendor/${file} is what lock.json says`, () => {
    assert.equal(createHash("sha256").update(read(file)).digest("hex"), sha256);
  });
}

test("every vendored file is in lock.json, and every package has its licence", () => {
  const present = readdirSync(folder, { recursive: true }).filter((file) => /\.(js|ts|txt)$/.test(file));
  assert.deepEqual(present.sort(), files.map(({ file }) => file).sort());
  for (const { name, version, licence, files: its } of packages) {
    assert.ok(name && version && licence);
    assert.ok(its.some(({ file }) => file?.startsWith("LICENSES/")));
  }
});

test("the one vendored module imports nothing, points to no source map, and has what its parts export", async () => {
  const modules = files.filter((one) => one.file.endsWith(".js"));
  assert.deepEqual(modules.map(({ file }) => file), ["all.js"]);
  assert.doesNotMatch(read("all.js"), /sourceMappingURL|\bfrom\s*["']/);
  const all = await import("../vendor/all.js");
  for (const name of ["h", "render", "Component", "useState", "useId", "signal", "useSignal", "htm"]) {
    assert.equal(typeof all[name], "function", name);
  }
});
