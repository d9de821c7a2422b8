// Opens the report's page with sample reports in Chromium, over file://: test_page.mjs CHROMIUM PAGE SAMPLES OUTPUT
// Nothing may be logged and nothing requested; the parts must be there and answer to clicks and keys. Screenshots go to OUTPUT.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Chromium } from '../support/chromium.mjs';

const [program, template, samples, output] = process.argv.slice(2);
const placeholder = '/*KYLIN_REPORT*/';
const page_text = readFileSync(template, 'utf8');
mkdirSync(output, { recursive: true });

let failures = 0;
function check(what, good, found = '') {
    if (good) return;
    ++failures;
    console.error(`failed: ${what}${found === '' ? '' : `: ${JSON.stringify(found)}`}`);
}

const sample = (name) => JSON.parse(readFileSync(join(samples, `${name}.json`), 'utf8'));

// What the program does with a report.
function fill(name, report = sample(name)) {
    const path = resolve(output, `${name}.html`);
    const [before, after] = page_text.split(placeholder);
    writeFileSync(path, before + JSON.stringify(report).replaceAll('<', '\\u003c') + after);
    return { report, url: pathToFileURL(path).href };
}

async function check_parts(page, report, where) {
    const found = await page.evaluate(`({
        sentence: document.querySelector('#sentence')?.textContent, cells: document.querySelectorAll('[data-cell]').length,
        missing: document.querySelectorAll('td.missing').length, charts: document.querySelectorAll('figure svg').length,
        current: document.querySelectorAll('[data-cell][aria-current]').length, overflow: document.documentElement.scrollWidth - innerWidth,
        unnamed: [...document.querySelectorAll('button, select, input')].filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length,
        drawn_nothing: [...document.querySelectorAll('figure svg')].filter((e) => /NaN|undefined/.test(e.outerHTML.replace(/aria-label="[^"]*"/g, ''))).length,
    })`);
    check(`${where}: sentence`, found.sentence === report.sentence, found.sentence);
    check(`${where}: one button for each cell`, found.cells === report.cells.length, found.cells);
    const places = report.stages.reduce((n, stage) => n + (stage.per_layer ? report.model.n_layer : 1), 0);
    check(`${where}: missing cells`, found.missing === places - report.cells.length, found.missing);
    check(`${where}: one chosen cell`, found.current === 1, found.current);
    check(`${where}: every control has a name`, found.unnamed === 0, found.unnamed);
    check(`${where}: no sideways scrolling`, found.overflow <= 0, found.overflow);
    check(`${where}: charts`, found.charts >= 2, found.charts);
    const named = await page.evaluate(`({ sentence: document.querySelector('#diagnosis > p')?.textContent, bars: document.querySelectorAll('#diagnosis figure svg [aria-label=bar] rect').length,
        elements: document.querySelectorAll('#diagnosis tbody tr').length })`);
    const faults = report.diagnosis?.faults ?? [];
    check(`${where}: diagnosis`, named.sentence === report.diagnosis?.sentence, named.sentence);
    check(`${where}: a bar for each mistake that was tried`, named.bars === faults.reduce((n, fault) => n + fault.tried.length, 0), named.bars);
    check(`${where}: elements of the diagnosis`, named.elements === faults.reduce((n, fault) => n + fault.elements.length, 0), named.elements);
    check(`${where}: no NaN in a chart`, found.drawn_nothing === 0, found.drawn_nothing);
}

const frame = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))';
const heading = `document.querySelector('#details h2 code').textContent`;
const background = `getComputedStyle(document.body).backgroundColor`;

// Cells are chosen by click and key in every view; on the wide page every cell is opened once.
async function check_use(page, report, where) {
    const target = report.cells.find((cell) => cell.stage === 'ffn_act' && cell.layer === 1);
    await page.evaluate(`document.querySelector('[data-cell="ffn_act.1"]').click(); ${frame}`);
    check(`${where}: details open on click`, (await page.evaluate(heading)) === 'ffn_act, layer 1');
    check(`${where}: details show the error`, (await page.evaluate(`document.querySelector('#details').textContent.includes('token ${target.local.worst_token}')`)));
    await page.evaluate(`document.querySelector('[data-cell="ffn_act.1"]').focus()`);
    await page.key('ArrowDown');
    await page.key('ArrowRight');
    await page.evaluate(frame);
    check(`${where}: arrow keys move`, (await page.evaluate(heading)) === 'ffn_down, layer 2', await page.evaluate(heading));
    for (const view of ['accumulated', 'bound ratio', 'verdict', 'local']) {
        await page.evaluate(`document.querySelector('input[name=view][value="${view}"]').click(); ${frame}`);
        writeFileSync(join(output, `${where.replaceAll(' ', '-')}-${view.replace(' ', '-')}.png`), await page.screenshot(900));
    }
    if (where.endsWith('1280')) for (const cell of report.cells) await page.evaluate(`document.querySelector('[data-cell="${cell.layer === null ? cell.stage : `${cell.stage}.${cell.layer}`}"]').click(); ${frame}`);
    const before = await page.evaluate(background);
    for (const theme of ['light', 'dark']) await page.evaluate(`document.querySelector('input[name=theme][value=${theme}]').click()`);
    check(`${where}: the switch changes the theme`, (await page.evaluate(background)) !== before);
}

const browser = new Chromium(program);
try {
    const shapes = [['light', 1280], ['dark', 1280], ['light', 400], ['dark', 400]];
    const grounds = new Set();
    for (const name of ['parity', 'divergent', 'bare']) {
        const { report, url } = fill(name);
        for (const [scheme, width] of shapes) {
            const where = `${name} ${scheme} ${width}`;
            const page = await browser.open(url, { width, height: 900, scheme });
            await page.evaluate(frame);
            await check_parts(page, report, where);
            grounds.add(await page.evaluate(background));
            writeFileSync(join(output, `${where.replaceAll(' ', '-')}.png`), await page.screenshot());
            if (name === 'divergent' && scheme === 'light') await check_use(page, report, where);
            check(`${where}: silent, and without requests`, page.problems.length === 0, page.problems);
            await page.close();
        }
    }
    check('light and dark differ', grounds.size === 2, [...grounds]);
    // As with the oracle for a reference, which is held against nothing.
    const alone = sample('parity');
    for (const cell of alone.cells) if (cell.bound) cell.bound.reference = null;
    const page = await browser.open(fill('alone', alone).url, { width: 1280, height: 900, scheme: 'light' });
    await page.evaluate(`document.querySelector('[data-cell="ffn_act.1"]').click(); ${frame}`);
    check('a reference without a bound has none', (await page.evaluate(`document.querySelector('.judgement').textContent`)).includes('reference has none'));
    const thresholds = await page.evaluate(`document.querySelector('.thresholds').textContent`);
    check('a reference without a bound is not called not finite', thresholds.includes('ffn_act') && !thresholds.includes('not finite'), thresholds);
    await page.close();
    const empty = await browser.open(pathToFileURL(resolve(template)).href, { width: 800, height: 600, scheme: 'light' });
    check('the empty page says so', (await empty.evaluate('document.body.textContent')).includes('This file is the empty page'));
    check('the empty page is silent', empty.problems.length === 0, empty.problems);
    // The test of the test: a request from inside the page must be refused, and seen.
    await empty.evaluate(`fetch('http://127.0.0.1:9/').catch(() => {})`);
    check('the security policy refuses a request', empty.problems.some((problem) => /Content Security Policy/i.test(problem)), empty.problems);
} catch (error) {
    check('the test itself', false, error.stack);
} finally {
    await browser.close();
}
console.log(failures === 0 ? `the page is well; screenshots are in ${output}` : `${failures} failures`);
process.exitCode = failures === 0 ? 0 : 1;
