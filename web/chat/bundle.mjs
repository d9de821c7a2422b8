// Puts source/ and the packages it imports into the files that the server shows: bundle.mjs FOLDER
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle_script, bundle_style, licences } from '../bundle.mjs';

const output = resolve(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));

mkdirSync(join(output, 'assets'), { recursive: true });
for (const page of ['chat', 'numerics']) {
    copyFileSync(join(here, `source/${page}.html`), join(output, `${page}.html`));
    const script = await bundle_script(`chat/source/${page}.jsx`);
    const text = `/* Licences of the code inside this file:\n\n${licences(script.inputs).replaceAll('*/', '* /')}\n*/\n${script.text}\n`;
    writeFileSync(join(output, `assets/${page}.js`), text);
    writeFileSync(join(output, `assets/${page}.css`), `${await bundle_style(`chat/source/${page}.css`)}\n`);
    console.log(`${page}: ${(text.length / 1024).toFixed(0)} KiB of script`);
}
