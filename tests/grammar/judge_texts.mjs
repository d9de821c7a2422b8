// Whether texts satisfy the schemas they were generated under, by ajv: judge_texts.mjs WALK_SCHEMAS SCHEMAS   Status 77: no ajv.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../oracles/package.json', import.meta.url));  // tests/oracles/install puts ajv there
let Ajv, formats;
try {
    Ajv = require('ajv/dist/2020.js').default;
    formats = require('ajv-formats').default;
} catch {
    console.log('skipped: run tests/oracles/install');
    process.exit(77);
}

const [program, schemas] = process.argv.slice(2);
const lines = execFileSync(program, [schemas, '40', '300'], { encoding: 'utf8', maxBuffer: 1 << 28 }).trim().split('\n');
const ajv = formats(new Ajv({ strict: false }), { mode: 'full' });
const validators = new Map();
let wrong = 0;
for (const line of lines) {
    const { schema, text } = JSON.parse(line);
    const key = JSON.stringify(schema);
    if (!validators.has(key)) validators.set(key, { validate: ajv.compile(schema), n: 0 });
    const entry = validators.get(key);
    ++entry.n;
    let reason;
    try {
        if (!entry.validate(JSON.parse(text))) reason = ajv.errorsText(entry.validate.errors);
    } catch (error) {
        reason = error.message;
    }
    if (reason && ++wrong <= 10) console.error(`${key}\n  ${JSON.stringify(text)}\n  ${reason}`);
}
for (const schema of readFileSync(schemas, 'utf8').trim().split('\n')) {
    const n = validators.get(JSON.stringify(JSON.parse(schema)))?.n ?? 0;
    if (n < 10 && ++wrong) console.error(`${schema}\n  only ${n} of 40 texts came to an end`);
}
console.log(`${lines.length} texts under ${validators.size} schemas, ${wrong} wrong`);
process.exit(wrong > 0 ? 1 : 0);
