import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { more, strings } from "../strings/en.js";
import { connected } from "./world.js";

test("every file of texts is fetched by its name, and no two have a key in common", async () => {
  const files = readdirSync(new URL("../strings/en/", import.meta.url)).map((file) => file.replace(/\.js$/, ""));
  assert.deepEqual(Object.keys(more).sort(), files.sort());
  const keys = Object.keys(strings);
  for (const noun of files) keys.push(...Object.keys(await more[noun]()));
  assert.deepEqual(keys.filter((key, at) => keys.indexOf(key) !== at), []);
});

test("a view that needs more texts than the first one waits for them", async () => {
  const { app } = await connected();
  assert.equal(app.strings.switcher, undefined);
  await app.learn("switcher");
  assert.equal(app.strings.switcher.rooms, "Rooms");
});
