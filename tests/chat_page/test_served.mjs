// The pages as kylin serve shows them, with the demo model: test_served.mjs CHROMIUM KYLIN OUTPUT
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Harness, web } from './harness.mjs';

const [program, kylin, output] = process.argv.slice(2);

class Served {
    constructor(...options) {
        this.options = options;
    }

    async listen() {
        this.process = spawn(kylin, ['serve', '--port', '0', '-t', '2', ...this.options], { stdio: ['ignore', 'ignore', 'pipe'] });
        let log = '';
        this.url = await new Promise((resolve, reject) => {
            this.process.on('exit', (code) => reject(new Error(`kylin serve ended with ${code}: ${log}`)));
            this.process.stderr.setEncoding('utf8').on('data', (text) => {
                log += text;
                const found = /listens on (http:\S+)\n/.exec(log);
                if (found) resolve(`${found[1]}/`);
            });
        });
    }

    async close() {
        const ended = new Promise((resolve) => this.process.removeAllListeners('exit').once('exit', resolve));
        this.process.kill('SIGTERM');
        assert.equal(await ended, 0);
    }

    async slots() {
        return (await fetch(`${this.url}slots`)).json();
    }
}

// One place and no queue: a second question meets a full server.
const server = new Served('--parallel', '1', '--queue', '0');
const harness = new Harness({ program, output, server });

async function set(page, settings) {
    await page.click('header button', 'Settings');
    for (const [name, text] of Object.entries(settings)) {
        await page.evaluate(`{ const e = document.querySelector('dialog input[name=${name}]'); e.focus(); e.select(); }`);
        await page.type(text);
    }
    await page.key('Escape');
    await page.until(`!document.querySelector('dialog')`);
}

test('browsers get the pages at / and /numerics, others the API; unchanged files are not sent again', async () => {
    const html = await fetch(server.url, { headers: { Accept: 'text/html,*/*;q=0.8' } });
    assert.equal(html.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(html.headers.get('content-security-policy'), readFileSync(join(web, 'content-security-policy'), 'utf8').trim());
    assert.equal(await html.text(), readFileSync(join(web, 'dist/chat.html'), 'utf8'));
    const json = await fetch(server.url);
    assert.equal(json.headers.get('content-type'), 'application/json');
    assert.ok((await json.json()).routes.length > 5);
    const numerics = await fetch(`${server.url}numerics`, { headers: { Accept: 'text/html,*/*;q=0.8' } });
    assert.equal(await numerics.text(), readFileSync(join(web, 'dist/numerics.html'), 'utf8'));
    const values = await fetch(`${server.url}numerics`);
    assert.deepEqual([values.headers.get('vary'), (await values.json()).format], ['Accept', 'kylin.numerics/1']);
    for (const name of ['assets/chat.js', 'assets/numerics.css']) {
        const file = await fetch(server.url + name);
        assert.equal(await file.text(), readFileSync(join(web, 'dist', name), 'utf8'));
        const again = await fetch(server.url + name, { headers: { 'If-None-Match': file.headers.get('etag') } });
        assert.deepEqual([again.status, await again.text()], [304, '']);
    }
});

harness.test('a question is answered', {}, async (page) => {
    await page.until(`document.querySelector('.what p')?.textContent.includes('Kylin Demo')`);
    await set(page, { temperature: '0' });
    await page.ask('What is the capital of France?');
    await page.answered();
    assert.equal(await page.text('.answer > div .markdown'), 'The capital of France is Paris.');
    assert.match(await page.text('.figures'), /^8 tokens · [\d.,]+ tokens\/s · first after [\d.]+ m?s · prompt 15/);
    await page.ask('你好');
    await page.answered(2);
    assert.match(await page.text('.message:last-child > div .markdown'), /你好/);
    await page.shoot('served-answer', 800);
});

harness.test('thoughts are folded, or switched off', {}, async (page) => {
    await set(page, { temperature: '0' });
    await page.ask('Hello, how are you?');
    await page.answered();
    assert.match(await page.text('.answer > div .markdown'), /^I am fine/);
    assert.equal(await page.evaluate(`document.querySelector('.thoughts').open`), false);
    await page.click('.thoughts summary');
    await page.until(`document.querySelector('.thoughts .markdown')?.textContent.startsWith('The user')`);
    await page.click('header button', 'Settings');
    await page.click('dialog label', 'off');
    await page.key('Escape');
    await page.click('.answer button', 'Regenerate');
    await page.until(`document.querySelector('.answer[aria-busy=false] .markdown') && !document.querySelector('.thoughts')`);
});

// At so high a temperature the model does not come to an end before its context does.
harness.test('an answer is stopped, and its place is free at once', {}, async (page) => {
    await set(page, { temperature: '5', top_p: '1', top_k: '0', min_p: '0' });
    await page.ask('Hello');
    await page.until(`document.querySelector('.answer')?.textContent.length > 40`);
    assert.equal((await server.slots()).running, 1);
    await page.key('Escape');
    await page.answered();
    assert.equal(await page.text('.note'), 'Stopped.');
    for (const end = Date.now() + 10000; (await server.slots()).running > 0; await sleep(20)) assert.ok(Date.now() < end, 'it still runs');
});

// Holds the only place, one long answer after the other, until it is told to stop: on a busy machine one may end before the page asks.
async function occupy(signal) {
    const body = JSON.stringify({ prompt: 'Hello', max_tokens: 1900, ignore_eos: true });
    const begin = () => fetch(`${server.url}generate_stream`, { method: 'POST', signal, body });
    const first = await begin();
    const rest = async () => {
        for (let answer = first; ; answer = await begin()) await answer.text();
    };
    return { ended: rest().catch((error) => assert.equal(error.name, 'AbortError')) };
}

harness.test('a full server is asked again', {}, async (page) => {
    const control = new AbortController();
    const { ended } = await occupy(control.signal);
    await page.ask('What is the capital of France?');
    await page.until(`document.querySelector('.waiting')?.textContent.includes('Asking again in')`);
    control.abort();
    await ended;
    await page.answered();
    assert.match(await page.text('.answer > div .markdown'), /Paris/);
});

harness.test('a message that is too long is refused with the reason', {}, async (page) => {
    await page.ask('too long '.repeat(3000));
    await page.answered();
    assert.match(await page.text('.problem'), /No answer\..*2048/);
});

harness.test('with an API key', {}, async () => {
    const guarded = new Harness({ program, output, server: new Served('--api-key', 'sesame') });
    await guarded.server.listen();
    try {
        const page = await guarded.open();
        await page.until(`document.querySelector('dialog[open] #key')`);
        await page.type('sesame');
        await page.key('Enter');
        await page.until(`document.querySelector('.what p')?.textContent.includes('Kylin Demo')`);
        await page.ask('What is the capital of France?');
        await page.answered();
        assert.match(await page.text('.answer > div .markdown'), /Paris/);
    } finally {
        await guarded.browser.close();
        await guarded.server.close();
    }
});

// The whole way: an answer is watched, audited, and its page drawn from what the server really found.
for (const scheme of ['light', 'dark']) {
    harness.test(`the numerics of an answer, and the audit, ${scheme}`, {}, async () => {
        const audited = new Harness({ program, output, server: new Served('--audit', '1', '--watch') });
        await audited.server.listen();
        try {
            const page = await audited.open({ scheme });
            await page.ask('What is the capital of France?');
            await page.answered();
            const figures = async () => (await fetch(`${audited.server.url}numerics`)).json();
            for (const end = Date.now() + 100000; (await figures()).audit.requests < 1; await sleep(50)) assert.ok(Date.now() < end, 'never audited');
            const { answer, audit, model } = await figures();
            await page.click('.foot a', 'Numerics of this answer');
            await page.until(`document.querySelector('.values') && document.querySelector('[data-cell]')`);
            assert.equal(await page.text('.asked b'), 'What is the capital of France?');
            assert.match(await page.text('.asked span'), new RegExp(answer.id));
            // Every value that the server told has its cell, and nothing else has.
            const shown = await page.evaluate(`[...document.querySelectorAll('[data-cell]')].map((cell) => cell.dataset.cell)`);
            const told = Object.entries(answer.largest).flatMap(([stage, values]) => (values.length > 1 ? values.map((_, layer) => `${stage}.${layer}`) : [stage]));
            assert.equal(told.length, 17 * model.n_layer + 3);
            assert.deepEqual(shown.filter((name) => told.includes(name)).sort(), told.sort());
            assert.match(await page.text('.well'), /All finite; at least [\d.]+ bits of headroom everywhere/);
            const largest = Math.max(...Object.values(answer.largest).flat());
            assert.match(await page.text('#details'), new RegExp(`Largest value${Number(largest.toPrecision(5))}`), 'the largest is chosen first');
            const values = await page.text('.values');
            assert.match(values, /Requests audited.*1Left out.*0Not reproduced.*none/);
            assert.match(values, new RegExp(`Tokens compared.*${audit.tokens}`));
            assert.match(values, /Same first choice.*100 %/);
            assert.match(values, new RegExp(`in ${audit.worst.stage}, layer ${audit.worst.layer}`));
            await page.shoot(`served-numerics-${scheme}`);
            await page.close();
        } finally {
            await audited.browser.close();
            await audited.server.close();
        }
    });
}

harness.run();
