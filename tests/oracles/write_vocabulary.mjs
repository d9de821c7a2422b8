// write_vocabulary.mjs OUT.gguf: the vocabulary and the chat template of Qwen3 as the metadata of a GGUF file without tensors.
import { writeFileSync } from "node:fs";
import { config, tokenizer } from "./qwen3.mjs";

const type = { u32: 4, i32: 5, bool: 7, string: 8, array: 9 };
const token_type = { normal: 1, control: 3, user_defined: 4 };

const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
const string = (s) => { const bytes = Buffer.from(s, "utf8"); return Buffer.concat([u64(bytes.length), bytes]); };
const array = (element, encode, values) => Buffer.concat([u32(element), u64(values.length), ...values.map(encode)]);

const tokens = [];
for (const [text, id] of Object.entries(tokenizer.model.vocab)) tokens[id] = text;
const types = tokens.map(() => token_type.normal);
for (const { id, content, special } of tokenizer.added_tokens) {
  tokens[id] = content;
  types[id] = special ? token_type.control : token_type.user_defined;
}
const id_of = (text) => tokenizer.added_tokens.find((t) => t.content === text).id;
const merges = tokenizer.model.merges.map((m) => (Array.isArray(m) ? m.join(" ") : m));

const entries = [
  ["general.architecture", type.string, string("qwen3")],
  ["tokenizer.ggml.model", type.string, string("gpt2")],
  ["tokenizer.ggml.pre", type.string, string("qwen2")],
  ["tokenizer.ggml.tokens", type.array, array(type.string, string, tokens)],
  ["tokenizer.ggml.token_type", type.array, array(type.i32, u32, types)],
  ["tokenizer.ggml.merges", type.array, array(type.string, string, merges)],
  ["tokenizer.ggml.eos_token_id", type.u32, u32(id_of(config.eos_token))],
  ["tokenizer.ggml.padding_token_id", type.u32, u32(id_of(config.pad_token))],
  ["tokenizer.ggml.add_bos_token", type.bool, Buffer.from([0])],
  ["tokenizer.chat_template", type.string, string(config.chat_template)],
];
writeFileSync(process.argv[2], Buffer.concat([
  Buffer.from("GGUF"), u32(3), u64(0), u64(entries.length),
  ...entries.map(([key, kind, value]) => Buffer.concat([string(key), u32(kind), value])),
]));
