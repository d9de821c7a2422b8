// compare_tokenizers.mjs ENCODE_LINES VOCAB.gguf [N [SEED]]: encodes N random texts with Kylin and with @huggingface/tokenizers,
// and fails on the first difference. Texts mix every plane of Unicode, combining marks, emoji, white space, digits and code.
import { execFileSync } from "node:child_process";
import { config, tokenizer } from "./qwen3.mjs";

const { Tokenizer } = await import("@huggingface/tokenizers");
const [encode_lines, vocabulary, n_texts = "6000", first_seed = "1"] = process.argv.slice(2);

// Code points that came after the tables Kylin was built with may have another class or composition in this Node.
const assigned = JSON.parse(execFileSync(encode_lines, ["--assigned"])).filter(([begin]) => begin < 0xe000 || begin > 0xf8ff);

// mulberry32: a small generator with a seed, so that a failure can be repeated.
let state = Number(first_seed);
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const from_range = (begin, end) => String.fromCodePoint(begin + below(end - begin));

const words = ["the", "Hello", "don't", "I'LL", "we've", "it'S", "they'Re", "'d", "x'm", "ſ", "'ſ", "straße", "naïve", "Ünïcödé", "你好", "麒麟", "日本語",
  "한국어", "สวัสดี", "नमस्ते", "مرحبا", "שלום", "Привет", "Ελληνικά", "e\u0301\u0323", "e\u0323\u0301", "\u1100\u1161\u11a8", "Å", "ﬁ", "½", "Ⅷ", "٣", "१२"];
const code = ["for (int i = 0; i < n; ++i) {\n    x += y[i];\n}\n", "def f(x):\n\treturn x**2\n", "<|im_start|>user\n", "<think>", "</tool_call>", "{\"a\": [1, 2]}",
  "https://a.b/c?d=e&f#g", "// ---- ====\r\n", "$$\\frac{1}{2}$$", "a\u00a0b", "#include <x>\n\n\n"];
const emoji = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳", "🦙", "1️⃣", "✅"];
const spaces = [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\u000b", "\u200b", "\u1680", "\u0085", "\ufeff", "     "];
const pieces = [
  () => pick(words), () => pick(code), () => pick(emoji), () => pick(spaces), () => pick(spaces) + pick(words),
  () => String(below(1e9)), () => from_range(0x21, 0x7f), () => from_range(0x4e00, 0x9fff), () => from_range(0x300, 0x370),
  () => from_range(0xac00, 0xd7a4), () => from_range(0x1100, 0x1200), () => from_range(0xa0, 0x250), () => from_range(0, 0x21),
  () => { const [begin, end] = pick(assigned); return from_range(begin, end); },
  () => pick(["a", "ab", "\n", " ", "0", "!", "哈", "\u0301"]).repeat(1 + below(40)),
];
const usable = (c) => !(c >= "\ud800" && c <= "\udfff" && c.length === 1);  // no lone surrogates
const random_text = () => [...Array.from({ length: 1 + below(24) }, () => pick(pieces)()).join("")].filter(usable).join("");

// One long text of every assigned code point, and the random ones.
const everything = assigned.map(([begin, end]) =>
  [...Array(end - begin).keys()].map((i) => String.fromCodePoint(begin + i)).filter(usable).join(" x"));
const texts = [...everything.filter((t) => t.length < 20000), ...Array.from({ length: Number(n_texts) }, random_text)];

const encode_all = (...options) =>
  execFileSync(encode_lines, [vocabulary, ...options], { input: texts.map((t) => JSON.stringify(t)).join("\n") + "\n", maxBuffer: 2 ** 30 })
    .toString().trimEnd().split("\n").map((line) => JSON.parse(line));

const modes = [
  ["special tokens as text", { ...tokenizer, added_tokens: [] }, { ...config, added_tokens_decoder: {} }, []],
  ["special tokens parsed", tokenizer, config, ["--special"]],
];
for (const [name, definition, settings, options] of modes) {
  const theirs = new Tokenizer(definition, settings);
  const ours = encode_all(...options);
  if (ours.length !== texts.length) throw new Error(`${texts.length} texts, ${ours.length} answers`);
  let n_tokens = 0;
  texts.forEach((text, i) => {
    const { ids } = theirs.encode(text, { add_special_tokens: false });
    n_tokens += ids.length;
    if (JSON.stringify(ids) === JSON.stringify(ours[i])) return;
    console.error(`${name}: text ${i} of seed ${first_seed}: ${JSON.stringify(text)}\nkylin       ${ours[i]}\nhuggingface ${ids}`);
    process.exit(1);
  });
  console.log(`${name}: ${texts.length} texts, ${n_tokens} tokens, no difference`);
}
