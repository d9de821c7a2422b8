// Puts source/ and the packages it imports into one HTML file: bundle.mjs OUTPUT
// The file runs from file://. Its content security policy allows this one script, by its hash, and no request at all.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const output = resolve(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));
const placeholder = '/*KYLIN_REPORT*/';  // the program puts the report's JSON here

const common = { absWorkingDir: here, bundle: true, minify: true, charset: 'utf8', legalComments: 'none', write: false, logLevel: 'warning' };
const code = await build({ ...common, entryPoints: ['source/main.jsx'], format: 'iife', target: 'es2022', jsx: 'automatic', jsxImportSource: 'preact', metafile: true });
const style = await build({ ...common, entryPoints: ['source/style.css'] });
const script = code.outputFiles[0].text.trimEnd();
const css = style.outputFiles[0].text.trimEnd();

// Text of the licences of every package whose code is inside, once each.
function licences(inputs) {
    const packages = new Set();
    for (const path of Object.keys(inputs)) {
        const match = path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
        if (match) packages.add(match[1]);
    }
    return [...packages].sort().map((name) => {
        const folder = join(here, 'node_modules', name);
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
        if (!file) throw new Error(`${name} has no licence file`);
        return `${name}\n${readFileSync(join(folder, file), 'utf8').trim()}`;
    }).join('\n\n').replaceAll('-->', '-- >');
}

const hash = createHash('sha256').update(script).digest('base64');
const parts = { STYLE: css, SCRIPT: script, SCRIPT_HASH: `'sha256-${hash}'`, LICENCES: licences(code.metafile.outputs[Object.keys(code.metafile.outputs)[0]].inputs) };
const page = readFileSync(join(here, 'source/page.html'), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
if (page.split(placeholder).length !== 2) throw new Error('the placeholder must stand in the page exactly once');
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, page);
console.log(`${output}: ${(page.length / 1024).toFixed(0)} KiB`);
