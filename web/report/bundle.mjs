// Puts source/ and the packages it imports into one HTML file: bundle.mjs OUTPUT
// The file runs from file://. Its content security policy allows this one script, by its hash, and no request at all.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle_script, bundle_style, licences } from '../bundle.mjs';

const output = resolve(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));
const placeholder = '/*KYLIN_REPORT*/';  // the program puts the report's JSON here

const script = await bundle_script('report/source/main.jsx');
const parts = {
    STYLE: await bundle_style('report/source/style.css'),
    SCRIPT: script.text,
    SCRIPT_HASH: `'sha256-${createHash('sha256').update(script.text).digest('base64')}'`,
    LICENCES: licences(script.inputs).replaceAll('-->', '-- >'),
};
const page = readFileSync(join(here, 'source/page.html'), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
if (page.split(placeholder).length !== 2) throw new Error('the placeholder must stand in the page exactly once');
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, page);
console.log(`${output}: ${(page.length / 1024).toFixed(0)} KiB`);
