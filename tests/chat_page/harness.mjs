// What the tests of the pages share: one browser and one fake server for a file of tests, and ways to wait and to look.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { Chromium } from '../support/chromium.mjs';
import { FakeServer } from './fake_server.mjs';

export const web = join(dirname(fileURLToPath(import.meta.url)), '../../web/chat');
const patience = 30000;  // milliseconds; a machine may be busy with other tests

// A status that a test provokes is logged by the browser itself.
const expected = /^log error: Failed to load resource: (the server responded with a status of|net::ERR_(CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED))/;

// A page that is on its way to another one cannot be asked: not yet.
function unless_left(error) {
    if (!error.message.includes('navigated or closed')) throw error;
}

export class Harness {
    constructor({ program, output, answers = {}, server = new FakeServer(web, answers) }) {
        mkdirSync(output, { recursive: true });
        this.output = output;
        this.server = server;
        this.browser = new Chromium(program);
    }

    // One test on a page of its own, with an empty history.
    test(name, options, body) {
        test(name, { timeout: 4 * patience }, async () => {
            const page = await this.open(options);
            try {
                await body(page);
                assert.deepEqual(page.problems.filter((problem) => !expected.test(problem)), []);
            } catch (error) {
                await page.shoot('failed').catch(() => {});  // none of a page that is being left
                throw error;
            } finally {
                await page.evaluate('localStorage.clear(); onpagehide = null');
                await page.close();
                this.server.key = this.server.numerics = undefined;
            }
        });
    }

    async open({ path = '', width = 1100, height = 800, scheme = 'light', features } = {}) {
        const page = await this.browser.open(this.server.url + path, { width, height, scheme, features, allows: (url) => url.startsWith(this.server.url) || url.startsWith('blob:') });
        page.until = async (expression, what = expression) => {
            for (const end = Date.now() + patience; !(await page.evaluate(expression).catch(unless_left)); await sleep(25)) assert.ok(Date.now() < end, `never: ${what}`);
        };
        page.text = (selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent`);
        page.click = (selector, text = '') => page.evaluate(`{
            const all = [...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.textContent.includes(${JSON.stringify(text)}));
            if (all.length === 0) throw new Error('nothing to click: ' + ${JSON.stringify(`${selector} ${text}`)});
            all.at(-1).focus();  // as a real click does
            all.at(-1).click();
        }`);
        page.focused = () => page.evaluate(`(document.activeElement.ariaLabel ?? '') || document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent`);
        page.ask = async (text) => {
            await page.evaluate(`document.querySelector('#message').focus()`);
            await page.type(text);
            await page.key('Enter');
        };
        page.answered = (n = 1) => page.until(`document.querySelectorAll('.answer[aria-busy=false]').length >= ${n} && !document.querySelector('.answer[aria-busy=true]')`, `${n} finished answers`);
        page.shoot = async (name, rows) => writeFileSync(join(this.output, `${name}.png`), await page.screenshot(rows));
        return page;
    }

    run() {
        test.before(() => this.server.listen());
        test.after(async () => {
            await this.browser.close();
            await this.server.close();
        });
    }
}
