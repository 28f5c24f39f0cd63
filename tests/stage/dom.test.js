// Words on the stage that do not need a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { capitalised } from "../../assets/stage/dom.js";

test("a sentence has a capital, and a symbol stays what it is", () => {
  assert.equal(capitalised("the conventional VAE has collapsed"), "The conventional VAE has collapsed");
  for (const kept of ["σ² 0.01 → 0.2 at step 3", "β 1 → 4 at step 3", "δ", "", "Both"]) {
    assert.equal(capitalised(kept), kept);
  }
});
