// A picture of the top of a report: screenshot.mjs CHROMIUM REPORT.html light|dark WIDTH HEIGHT OUTPUT.png
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Chromium } from '../support/chromium.mjs';

const [program, report, scheme, width, height, output] = process.argv.slice(2);
const browser = new Chromium(program);
try {
    const page = await browser.open(pathToFileURL(resolve(report)).href, { width: Number(width), height: Number(height), scheme });
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    writeFileSync(output, await page.screenshot(Number(height)));
} finally {
    await browser.close();
}
