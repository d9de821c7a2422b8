// validate.mjs accepts the samples, and refuses reports that break the schema: test_validate.mjs SAMPLES
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const samples = process.argv[2];
const validate = (...files) => spawnSync(process.execPath, [fileURLToPath(new URL('validate.mjs', import.meta.url)), ...files], { encoding: 'utf8' });
const folder = mkdtempSync(join(tmpdir(), 'kylin-validate-'));
let failures = 0;
function expect(what, status, ...files) {
    const run = validate(...files);
    if (run.status === status) return;
    ++failures;
    console.error(`${what}: status ${run.status}, expected ${status}\n${run.stdout}${run.stderr}`);
}

expect('the samples', 0, ...['parity', 'divergent', 'bare'].map((name) => join(samples, `${name}.json`)));
expect('no file', 2);
const breaks = {
    'another format': (report) => { report.format = 'kylin.report/2'; },
    'an unknown verdict': (report) => { report.cells[0].verdict = 'fine'; },
    'an unknown key': (report) => { report.extra = 1; },
    'a missing key': (report) => { delete report.cells[0].local.nmse; },
    'a number as text': (report) => { report.cells[0].local.nmse = 'NaN'; },
};
for (const [what, change] of Object.entries(breaks)) {
    const report = JSON.parse(readFileSync(join(samples, 'bare.json'), 'utf8'));
    change(report);
    const path = join(folder, 'broken.json');
    writeFileSync(path, JSON.stringify(report));
    expect(what, 1, path);
}
writeFileSync(join(folder, 'text.json'), '{');
expect('no JSON', 1, join(folder, 'text.json'));
rmSync(folder, { recursive: true });
process.exitCode = failures === 0 ? 0 : 1;
