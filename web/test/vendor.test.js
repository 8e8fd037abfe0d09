import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../vendor/", import.meta.url);
const read = (file) => readFileSync(new URL(file, folder), "utf8");
const { packages } = JSON.parse(read("lock.json"));
const files = packages.flatMap((one) => one.files);

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
    assert.ok(its.some(({ file }) => file.startsWith("LICENSES/")));
  }
});

test("vendored modules import each other by relative path, and point to no source map", () => {
  for (const { file } of files.filter((one) => one.file.endsWith(".js"))) {
    for (const [, path] of read(file).matchAll(/\bfrom\s*["']([^"']+)["']/g)) {
      assert.ok(path.startsWith("./") && existsSync(new URL(path, folder)), `${file} imports ${path}`);
    }
    assert.doesNotMatch(read(file), /sourceMappingURL/);
  }
});
