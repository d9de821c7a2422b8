// Checks reports against docs/report.schema.json: validate.mjs FILE...   Exit status 1, with what is wrong, if one does not fit.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../oracles/package.json', import.meta.url));  // tests/oracles/install puts ajv there
const Ajv = require('ajv/dist/2020.js').default;

const { $id, ...schema } = JSON.parse(readFileSync(new URL('../../docs/report.schema.json', import.meta.url)));
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
const files = process.argv.slice(2);
if (files.length === 0) {
    console.error('usage: validate.mjs FILE...');
    process.exit(2);
}
for (const file of files) {
    let report;
    try {
        report = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
        console.error(`${file}: ${error.message}`);
        process.exitCode = 1;
        continue;
    }
    if (validate(report)) {
        console.log(`${file}: fits ${$id}`);
        continue;
    }
    process.exitCode = 1;
    for (const error of validate.errors.slice(0, 20)) console.error(`${file}: ${error.instancePath || '/'} ${error.message} ${JSON.stringify(error.params)}`);
    if (validate.errors.length > 20) console.error(`${file}: ${validate.errors.length - 20} more`);
}
