// What the builds of all pages share: source files and the packages they import become one script and one style sheet.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const common = { absWorkingDir: here, bundle: true, minify: true, charset: 'utf8', legalComments: 'none', write: false, metafile: true, logLevel: 'warning' };

async function run(options) {
    const result = await build({ ...common, ...options });
    return { text: result.outputFiles[0].text.trimEnd(), inputs: Object.keys(Object.values(result.metafile.outputs)[0].inputs) };
}

// Paths are relative to this folder.
export const bundle_script = (entry) => run({ entryPoints: [entry], format: 'iife', target: 'es2022', jsx: 'automatic', jsxImportSource: 'preact' });
export const bundle_style = async (entry) => (await run({ entryPoints: [entry] })).text;

// Text of the licences of every package whose code is among the inputs, once each.
export function licences(inputs) {
    const packages = new Set();
    for (const path of inputs) {
        const match = path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
        if (match) packages.add(match[1]);
    }
    return [...packages].sort().map((name) => {
        const folder = join(here, 'node_modules', name);
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
        if (!file) throw new Error(`${name} has no licence file`);
        return `${name}\n${readFileSync(join(folder, file), 'utf8').trim()}`;
    }).join('\n\n');
}
