// The chat page against a fake server, in Chromium: test_chat.mjs CHROMIUM OUTPUT
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Harness } from './harness.mjs';

const hostile = '<img src=x onerror=alert(1)> <script>alert(1)</script> [x](javascript:alert(1)) ![y](https://evil.example/a.png) [ok](https://x.org)';
const once = (first, then) => {
    let asked = 0;
    return () => (asked++ === 0 ? first : then);
};
const answers = {
    slow: { text: 'one two three. '.repeat(400), gap: 20 },
    think: { thoughts: 'Let me see. It is **easy**.', text: 'The answer is 4.' },
    hostile: { text: hostile },
    wrong: once({ status: 400, reason: 'messages: the prompt has 2100 tokens; the context holds 2048' }, { text: 'now it fits' }),
    broken: { text: 'half an answer', breaks: 'silently' },
    failing: { text: 'half an answer', breaks: 'non-finite logits' },
    full: once({ status: 429, reason: 'too many requests are waiting', retry_after: 1 }, { text: 'your turn' }),
    always: { status: 429, reason: 'too many requests are waiting', retry_after: 30 },
    long: { text: 'a line of text\n\n'.repeat(80), gap: 3 },
    cut: { text: 'it was', finish: 'length' },
    arabic: { text: 'عاصمة فرنسا هي باريس.' },
};
const [program, output] = process.argv.slice(2);
const harness = new Harness({ program, output, answers });
const { server } = harness;
const last = () => server.requests.at(-1);

harness.test('an answer streams in, and its figures follow', {}, async (page) => {
    await page.until(`document.querySelector('.what p')?.textContent.includes('Kylin Demo')`);
    assert.equal(await page.focused(), 'Message');
    assert.equal(await page.evaluate(`document.querySelector('.field .main').disabled`), true);
    await page.ask('slow please');
    await page.until(`document.querySelector('.answer .markdown')?.textContent.length > 20`);
    const early = await page.text('.answer .markdown');
    assert.equal(await page.evaluate(`document.querySelector('.answer').ariaBusy`), 'true');
    await page.until(`document.querySelector('.answer .markdown')?.textContent.length > ${early.length}`);
    await page.until(`Object.values(localStorage).some((text) => text.includes('one two'))`, 'the history has what came so far');
    assert.equal(await page.focused(), 'Message');
    assert.equal(await page.evaluate(`document.querySelector('#message').value`), '');
    assert.equal(last().stream, true);
    assert.deepEqual(last().stream_options, { include_usage: true });
    assert.deepEqual(last().messages, [{ role: 'user', content: 'slow please' }]);
    assert.deepEqual(Object.keys(last()).sort(), ['messages', 'model', 'stream', 'stream_options']);
    await page.key('Escape');
    await page.ask('and now');
    await page.answered(2);
    assert.match(await page.text('.message:last-child .figures'), /^5 tokens · 31\.3 tokens\/s · first after [\d.]+ m?s · prompt 15 \(8 cached\)$/);
    assert.match(await page.text('.what p'), /Kylin Demo · 20 of 2,048 tokens used/);
    assert.equal(await page.evaluate('document.title'), 'slow please · Kylin');
});

for (const [how, stop] of [['the button', (page) => page.click('.field .main', 'Stop')], ['Escape', (page) => page.key('Escape')]]) {
    harness.test(`${how} stops an answer, and what has come stays`, {}, async (page) => {
        const before = server.abandoned;
        await page.ask('slow');
        await page.until(`document.querySelector('.answer .markdown')?.textContent.length > 20`);
        await stop(page);
        await page.answered();
        assert.equal(await page.text('.answer .note'), 'Stopped.');
        assert.ok((await page.text('.answer .markdown')).startsWith('one two'));
        for (const end = Date.now() + 10000; server.abandoned === before; await sleep(20)) assert.ok(Date.now() < end, 'the server was not told');
        assert.equal(await page.focused(), 'Message');
        assert.match(await page.text('.answer .figures'), /^≈ \d+ tokens/);
    });
}

harness.test('thoughts are folded', {}, async (page) => {
    await page.ask('think about 2 + 2');
    await page.answered();
    assert.match(await page.text('.thoughts summary'), /^Thought for /);
    assert.equal(await page.evaluate(`document.querySelector('.thoughts').open`), false);
    assert.equal(await page.text('.answer > div .markdown'), 'The answer is 4.');
    await page.click('.thoughts summary');
    await page.until(`document.querySelector('.thoughts strong')?.textContent === 'easy'`);
    await page.ask('next');
    await page.answered(2);
    assert.deepEqual(last().messages.map(({ content }) => content), ['think about 2 + 2', 'The answer is 4.', 'next'], 'thoughts are not sent back');
});

harness.test('an answer is never HTML', {}, async (page) => {
    await page.ask('hostile');
    await page.answered();
    assert.equal(await page.evaluate(`document.querySelectorAll('.markdown :is(img, script)').length`), 0);
    assert.ok((await page.text('.answer .markdown')).includes('<script>alert(1)</script> [x](javascript:alert(1))'));
    const links = await page.evaluate(`[...document.querySelectorAll('.markdown a')].map((a) => [a.href, a.rel, a.target])`);
    assert.deepEqual(links, ['https://evil.example/a.png', 'https://x.org/'].map((href) => [href, 'noopener noreferrer', '_blank']));
    // The test of the test: the policy refuses what would make HTML of a string, and requests to others.
    assert.equal(await page.evaluate(`{ let refused = false; try { document.createElement('p').innerHTML = '<b>x</b>'; } catch { refused = true; } refused }`), true);
    assert.equal(await page.evaluate(`fetch('http://127.0.0.1:9/').then(() => 'let through', () => 'refused')`), 'refused');
    assert.ok(page.problems.splice(0).some((problem) => /Content Security Policy/i.test(problem)));
});

harness.test('an error is shown with its reason, and asked again', {}, async (page) => {
    await page.ask('wrong');
    await page.answered();
    assert.match(await page.text('.problem'), /No answer\..*the prompt has 2100 tokens; the context holds 2048/);
    await page.click('.problem button', 'Try again');
    await page.until(`document.querySelector('.answer .markdown')?.textContent === 'now it fits'`);
    for (const [question, reason] of [['broken', /broke off.*The connection ended before the answer did/], ['failing', /broke off.*non-finite logits/]]) {
        await page.ask(question);
        await page.until(`document.querySelector('.message:last-child .problem')`);
        assert.match(await page.text('.message:last-child .problem'), reason);
        assert.equal(await page.text('.message:last-child .markdown'), 'half an answer');
    }
    await page.ask('cut');
    await page.answered(4);
    assert.match(await page.text('.message:last-child .note'), /was cut/);
});

harness.test('a full server is asked again when it says', {}, async (page) => {
    const before = server.requests.length;
    await page.ask('full');
    await page.until(`document.querySelector('.waiting')?.textContent.includes('Asking again in')`);
    const begun = Date.now();
    await page.answered();
    assert.equal(await page.text('.answer .markdown'), 'your turn');
    assert.equal(server.requests.length, before + 2);
    assert.ok(Date.now() - begun > 500, 'it waited');
    await page.ask('always');
    await page.until(`document.querySelector('.waiting')`);
    await page.key('Escape');
    await page.answered(2);
    assert.equal(await page.text('.message:last-child .note'), 'Stopped.');
});

harness.test('a server that is gone, and back', {}, async (page) => {
    const { port } = server;
    await page.until(`document.querySelector('.what p')?.textContent.includes('Kylin Demo')`);
    await server.close();
    await page.ask('anyone?');
    await page.answered();
    assert.match(await page.text('.problem'), /The server does not answer/);
    server.server = new server.constructor(server.web, answers).server.removeAllListeners('request').on('request', (a, b) => server.handle(a, b));
    await server.listen(port);
    await page.click('.problem button');
    await page.until(`document.querySelector('.answer .markdown')?.textContent === 'You said: anyone?'`);
});

harness.test('settings are sent, wrong ones are not, and reset clears them', {}, async (page) => {
    const field = (name) => `dialog input[name=${name}]`;
    const write = async (selector, text) => {
        await page.evaluate(`{ const e = document.querySelector(${JSON.stringify(selector)}); e.focus(); e.select(); }`);
        await page.type(text);
    };
    await page.click('header button', 'Settings');
    await write('#system', 'Be brief.');
    for (const [name, text] of [['temperature', '0.7'], ['top_p', '0.9'], ['top_k', '40'], ['min_p', '0.05'], ['max_tokens', '99'], ['seed', '7']]) await write(field(name), text);
    await write(field('temperature'), 'hot');
    assert.equal(await page.evaluate(`document.querySelector('${field('temperature')}').ariaInvalid`), 'true');
    await page.click('dialog label', 'off');
    await page.key('Escape');
    await page.until(`!document.querySelector('dialog')`);
    assert.equal(await page.focused(), 'Settings, 8 set', 'the focus goes back');
    await page.ask('hello');
    await page.answered();
    const { messages, model, stream, stream_options, ...rest } = last();
    assert.deepEqual(messages, [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'hello' }]);
    assert.equal(model, 'Kylin Demo');
    assert.deepEqual(rest, { temperature: 0.7, top_p: 0.9, top_k: 40, min_p: 0.05, max_tokens: 99, seed: 7, chat_template_kwargs: { enable_thinking: false } });
    await page.click('header button', 'Settings');
    await page.click('dialog button', 'Reset');
    assert.equal(await page.evaluate(`[...document.querySelectorAll('dialog input[type=text], dialog textarea')].every((e) => e.value === '')`), true);
    await page.click('dialog button', 'Done');
    await page.ask('again');
    await page.answered(2);
    assert.deepEqual(Object.keys(last()).sort(), ['messages', 'model', 'stream', 'stream_options']);
});

harness.test('the history survives a reload; conversations are renamed, exported, deleted, brought back', {}, async (page) => {
    const items = `[...document.querySelectorAll('.list a')].map((a) => a.textContent)`;
    await page.ask('first question');
    await page.answered();
    await page.click('.brand a');
    await page.until(`document.querySelector('.greeting')`);
    await page.ask('think');
    await page.answered();
    const loaded = page.evaluate('new Promise((done) => addEventListener("pagehide", done))').catch(() => {});
    await page.send('Page.reload');
    await loaded;
    await page.until(`document.querySelector('.answer')`);
    assert.deepEqual(await page.evaluate(items), ['think', 'first question']);
    assert.match(await page.text('.messages'), /The answer is 4\./);
    await page.click('.list a', 'first question');
    await page.until(`document.querySelector('.answer .markdown')?.textContent === 'You said: first question'`);

    await page.click('header button', 'Chat');
    await page.click('#actions button', 'Rename');
    await page.type('巴黎 — a new name');
    await page.key('Enter');
    assert.equal(await page.text('h1'), '巴黎 — a new name');
    assert.equal(await page.evaluate(`document.activeElement.getAttribute('popovertarget')`), 'actions');

    const folder = mkdtempSync(join(tmpdir(), 'kylin-export-'));
    await page.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder }).catch(() => page.send('Page.setDownloadBehavior', { behavior: 'allow', downloadPath: folder }));
    await page.click('header button', 'Chat');
    await page.click('#actions button', 'Export');
    const files = () => readdirSync(folder).filter((name) => name.endsWith('.json'));
    for (const end = Date.now() + 15000; files().length === 0; await sleep(25)) assert.ok(Date.now() < end, 'nothing was exported');
    const exported = JSON.parse(readFileSync(join(folder, files()[0]), 'utf8'));
    rmSync(folder, { recursive: true });
    assert.equal(exported.format, 'kylin.chat/1');
    assert.deepEqual(exported.messages.map(({ role, content }) => [role, content]), [['user', 'first question'], ['assistant', 'You said: first question']]);

    await page.click('header button', 'Chat');
    await page.click('#actions button', 'Delete');
    await page.until(`document.querySelector('.deleted')`);
    assert.deepEqual(await page.evaluate(items), ['think']);
    assert.equal(await page.evaluate(`Object.keys(localStorage).filter((key) => key.startsWith('kylin.chat.')).length`), 1);
    await page.click('.deleted button', 'Undo');
    await page.until(`document.querySelector('h1')?.textContent === '巴黎 — a new name'`);
    assert.deepEqual((await page.evaluate(items)).sort(), ['think', '巴黎 — a new name']);
});

harness.test('two tabs show the same history', {}, async (page) => {
    const other = await harness.open();
    await page.ask('seen from the other tab');
    await page.answered();
    await other.until(`document.querySelector('.list a')?.textContent === 'seen from the other tab'`);
    await other.close();
});

harness.test('the last question is edited, the last answer made again', {}, async (page) => {
    await page.ask('one');
    await page.answered();
    await page.ask('two');
    await page.answered(2);
    assert.equal(await page.evaluate(`document.querySelectorAll('.question .foot button').length`), 1, 'only the last question is edited');
    await page.click('.question button', 'Edit');
    assert.equal(await page.focused(), 'Your question');
    await page.type(' and a half');
    await page.key('Enter');
    await page.until(`document.querySelector('.message:last-child .markdown')?.textContent === 'You said: two and a half'`);
    assert.deepEqual(last().messages.map(({ content }) => content), ['one', 'You said: one', 'two and a half']);
    const before = server.requests.length;
    await page.click('.answer button', 'Regenerate');
    for (const end = Date.now() + 15000; server.requests.length === before; await sleep(20)) assert.ok(Date.now() < end);
    await page.answered(2);
    assert.deepEqual(last().messages.map(({ content }) => content), ['one', 'You said: one', 'two and a half']);
    await page.click('.question button', 'Edit');
    await page.key('Escape');
    assert.equal(await page.focused(), 'Edit', 'at once: what is typed next is not lost');
});

harness.test('a server with a key', {}, async (page) => {
    await page.until(`document.querySelector('.what p')?.textContent.includes('Kylin Demo')`);  // else the dialog comes before the question
    server.key = 'sesame';
    await page.ask('hello');
    await page.until(`document.querySelector('dialog[open] #key')`);
    assert.equal(await page.focused(), 'Key');
    await page.type('open');
    await page.key('Enter');
    await page.until(`document.querySelector('dialog[open] .wrong')`);
    await page.type('sesame');
    await page.key('Enter');
    await page.answered();
    assert.equal(await page.text('.answer .markdown'), 'You said: hello');
    assert.deepEqual(await page.evaluate(`[Object.values(sessionStorage), JSON.stringify(localStorage).includes('sesame')]`), [['sesame'], false]);
    await page.evaluate('sessionStorage.clear()');
    await page.ask('and without');
    await page.until(`document.querySelector('dialog[open] #key')`);
    await page.key('Escape');
    await page.answered(2);
    assert.match(await page.text('.message:last-child .problem'), /API key is missing or wrong/);
});

harness.test('the end stays in sight until the reader scrolls up', { height: 500 }, async (page) => {
    const gap = `(() => { const e = document.querySelector('.messages'); return e.scrollHeight - e.clientHeight - e.scrollTop; })()`;
    await page.ask('long');
    await page.until(`document.querySelector('.messages').scrollTop > 200`);
    assert.ok((await page.evaluate(gap)) < 60);
    await page.evaluate(`document.querySelector('.messages').scrollTop -= 150; new Promise(requestAnimationFrame)`);
    const top = await page.evaluate(`document.querySelector('.messages').scrollTop`);
    await page.until(`document.querySelector('.to-end')`);
    await page.answered();
    assert.equal(await page.evaluate(`document.querySelector('.messages').scrollTop`), top, 'it stays where the reader is');
    await page.click('.to-end');
    await page.until(`${gap} < 10 && !document.querySelector('.to-end')`);
});

harness.test('screen readers hear some sentences, not every token', {}, async (page) => {
    await page.evaluate(`{
        globalThis.heard = [];
        new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => heard.push(node.textContent)))).observe(document.querySelector('[role=log]'), { childList: true });
    }`);
    const begun = Date.now();
    await page.ask('slow');
    await page.until(`document.querySelector('.answer .markdown')?.textContent.length > 1000`);
    await page.key('Escape');
    await page.answered();
    const heard = await page.evaluate('heard');
    assert.equal(heard[0], 'Kylin answers.');
    assert.match(heard.at(-1), /^Stopped\. \d+ tokens\.$/);
    assert.ok(heard.length <= 4 + (Date.now() - begun) / 4000, heard);
    assert.ok(heard.slice(1, -2).every((text) => text.endsWith('three.')), heard);
});

harness.test('writing from right to left, and input methods', {}, async (page) => {
    await page.evaluate(`document.querySelector('#message').focus()`);
    await page.type('arabic');
    await page.evaluate(`document.querySelector('#message').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }))`);
    assert.equal(await page.evaluate(`document.querySelectorAll('.message').length`), 0, 'Enter that ends a composition does not send');
    await page.key('Enter', { shift: true });
    assert.equal(await page.evaluate(`document.querySelector('#message').value`), 'arabic\n');
    await page.key('Enter');
    await page.answered();
    assert.equal(await page.evaluate(`getComputedStyle(document.querySelector('.answer .markdown p')).direction`), 'rtl');
});

harness.run();
