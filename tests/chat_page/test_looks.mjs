// How the pages look and how they are used without a mouse or without eyes: test_looks.mjs CHROMIUM OUTPUT. Screenshots go to OUTPUT.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Harness, web } from './harness.mjs';
import { sample } from './sample_numerics.mjs';

const answer = `The **capital of France** is *Paris*, as \`capital("France")\` says; see [the map](https://example.org/map).

1. It lies on the Seine.
2. About 2.1 million people live there,
   - within the city proper,
   - ten million more around it.

### Cities

| City | People | River |
|---|--:|:-:|
| Paris | 2 100 000 | Seine |
| Lyon | 520 000 | Rhône |

> A city is a language.

\`\`\`python
def capital(country):
    return {"France": "Paris", "China": "Beijing"}[country]
\`\`\`

中文：**巴黎**是法国的首都。`;
const answers = {
    What: { thoughts: 'The reader asks for a capital. I know this one: it is Paris.', text: answer },
    too: { status: 400, reason: 'messages: the prompt has 2100 tokens; the context holds 2048' },
    slow: { thoughts: 'Let me think about it. '.repeat(3), text: 'word '.repeat(2000), gap: 30 },
};
const [program, output] = process.argv.slice(2);
const harness = new Harness({ program, output, answers });
const { server } = harness;
const axe = readFileSync(join(web, '../node_modules/axe-core/axe.min.js'), 'utf8');

// Everything that axe-core knows of WCAG 2.2 AA and of good practice.
async function check_access(page, where) {
    await page.evaluate(`${axe}; undefined`);
    const found = await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')))`);
    assert.deepEqual(found, [], where);
}

const overflow = (page) => page.evaluate('document.documentElement.scrollWidth - innerWidth');
const shapes = [['light', 1100, 800], ['dark', 1100, 800], ['light', 360, 740], ['dark', 360, 740]];

for (const [scheme, width, height] of shapes) {
    const where = `${scheme}-${width}`;
    harness.test(`the chat, ${scheme}, ${width} wide`, { scheme, width, height }, async (page) => {
        const see = async (what) => {
            await check_access(page, what);
            assert.ok((await overflow(page)) <= 0, `${what}: sideways scrolling`);
            await page.shoot(`chat-${where}-${what}`, height);
        };
        await page.until(`document.querySelector('.what p')?.textContent.includes('Kylin Demo')`);
        await see('empty');
        await page.ask('What is the capital of France?');
        await page.answered();
        await see('answer');
        await page.click('.thoughts summary');
        await page.evaluate(`document.querySelector('.messages').scrollTop = 0`);
        await see('thoughts');
        await page.ask('too long');
        await page.answered(2);
        await see('problem');
        await page.click('.question button', 'Edit');
        await page.until(`document.querySelector('.editor textarea')`);
        await see('editing');
        await page.key('Escape');
        await page.ask('slow');
        await page.until(`document.querySelector('.message:last-child .thoughts')`);
        await see('thinking');
        await page.key('Escape');
        await page.click('header button', 'Settings');
        await see('settings');
        await page.key('Escape');
        await page.click('header button', 'Chat');
        await see('menu');
        await page.key('Escape');
        if (width < 760) {
            await page.click('.menu');
            await page.until(`getComputedStyle(document.querySelector('.sidebar')).visibility === 'visible' && document.activeElement.closest('.sidebar')`);
            await page.evaluate(`Promise.all(document.querySelector('.sidebar').getAnimations().map((a) => a.finished))`);
            await see('sidebar');
            await page.key('Escape');
            await page.until(`document.activeElement.classList.contains('menu')`);
        }
    });

    harness.test(`the numerics, ${scheme}, ${width} wide`, { scheme, width, height, path: 'numerics' }, async (page) => {
        for (const [variant, n_layer] of [['well', 4], ['ill', 28], ['idle', 4]]) {
            server.numerics = sample(n_layer, variant);
            await page.click('.top button', 'Refresh');
            const n_cells = variant === 'idle' ? 0 : 19 * n_layer + 3;
            await page.until(`document.querySelectorAll('[data-cell]').length === ${n_cells} && document.querySelector('.rest')`);
            await check_access(page, variant);
            assert.ok((await overflow(page)) <= 0, `${variant}: sideways scrolling`);
            await page.shoot(`numerics-${where}-${variant}`);
        }
    });
}

harness.test('the numerics are read by keyboard', { path: 'numerics' }, async (page) => {
    server.numerics = sample(28, 'ill');
    await page.click('.top button', 'Refresh');
    await page.until(`document.querySelector('[data-cell]')`);
    const heading = `document.querySelector('#details h2').textContent`;
    assert.equal(await page.evaluate(heading), 'ffn_down, layer 27', 'what is not finite is shown first');
    assert.match(await page.text('#details'), /NaN3 values/);
    assert.match(await page.text('.heat'), /Not finite in 2 places, first in ffn_down, layer 27/);
    await page.evaluate(`document.querySelector('[aria-current]').focus()`);
    await page.key('ArrowLeft');
    await page.until(`${heading} === 'ffn_act, layer 27'`);
    assert.match(await page.text('#details'), /Largest value40000.*0\.712 bits.*may overflow/);
    await page.click('.heat label', 'F16 headroom');
    assert.equal(await page.text('[data-cell="ffn_act.27"]'), '0');
    assert.match(await page.text('.values'), /Requests audited.*12, 1 waiting.*Left out.*3.*Not reproduced.*none.*843.*3\.1e-6 nats.*99\.9 %.*0\.0041 in ffn_down, layer 2/s);
    await page.click('.values button');
    await page.until(`${heading} === 'ffn_down, layer 2'`);
    server.numerics = undefined;
    await page.click('.top button', 'Refresh');
    await page.until(`document.querySelector('[role=alert]')?.textContent.includes('does not watch')`);
});

harness.test('the numerics name the question that was asked here', {}, async (page) => {
    await page.ask('What is the capital of France?');
    await page.answered();
    server.numerics = { ...sample(4), answer: { ...sample(4).answer, id: `chatcmpl-${server.requests.length}` } };
    await page.click('.bottom a');
    await page.until(`document.querySelector('.asked b')?.textContent === 'What is the capital of France?'`);
});

harness.test('an answer that was watched leads to its numerics', {}, async (page) => {
    await page.ask('What was not watched?');
    await page.answered();
    assert.equal(await page.evaluate(`document.querySelector('.foot a')`), null);
    await page.click('header button', 'Settings');
    await page.click('dialog label:has([name=numerics]):nth-child(2)');
    await check_access(page, 'settings');
    await page.key('Escape');
    await page.ask('What is the capital of France?');
    await page.answered(2);
    assert.equal(server.requests.at(-1).numerics, true);
    const id = `chatcmpl-${server.requests.length}`;
    server.numerics = { ...sample(4), answer: { ...sample(4).answer, id } };
    await check_access(page, 'the link');
    await page.shoot('chat-watched', 800);
    await page.click('.foot a', 'Numerics of this answer');
    await page.until(`document.querySelector('.asked b')?.textContent === 'What is the capital of France?'`);
    assert.equal(await page.evaluate('location.search'), `?id=${id}`);
    assert.match(await page.text('.asked'), /8 tokens stood in the KV cache/);
    server.numerics.answer.id = 'chatcmpl-other';
    await page.click('.top button', 'Refresh');
    await page.until(`document.querySelector('[role=alert]')?.textContent.includes('this answer was not watched')`);
});

// Everything that a mouse reaches is reached by Tab, in the order of the page, and can be seen there.
harness.test('the chat without a mouse', {}, async (page) => {
    await page.ask('What is the capital of France?');
    await page.answered();
    await page.key('Tab');  // out of the message field, the last stop
    const wanted = await page.evaluate(`[...document.querySelectorAll('a[href], button, input, textarea, summary, [tabindex="0"]')]
        .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled && !(e.type === 'radio' && !e.checked) && !e.closest('.skip')).length`);
    const seen = new Set();
    let first;
    for (let i = 0; i < 60; ++i) {
        await page.key('Tab');
        const { name, place, outlined } = await page.evaluate(`(() => {
            const e = document.activeElement;
            const box = e.getBoundingClientRect();
            const shown = [e, e.parentElement, e.nextElementSibling].filter(Boolean).some((x) => getComputedStyle(x).outlineStyle !== 'none' || getComputedStyle(x).boxShadow !== 'none');
            return { name: e.tagName + ' ' + (e.ariaLabel ?? e.textContent.slice(0, 30)), place: [Math.round(box.x), Math.round(box.y)].join(), outlined: shown };
        })()`);
        if (name.startsWith('BODY')) break;
        assert.ok(outlined, `the focus cannot be seen on ${name}`);
        first ??= name;
        seen.add(`${name} ${place}`);
    }
    assert.equal(first, 'BUTTON Go to the message field');
    assert.equal(seen.size, wanted + 1, [...seen].join('\n'));
    // From the top: the first stop leads to the message field.
    await page.evaluate(`document.querySelector('.skip').focus()`);
    await page.key('Enter');
    assert.equal(await page.focused(), 'Message');
    // The menu opens, is walked and closes by keys; so do the settings.
    await page.evaluate(`document.querySelector('[popovertarget]').focus()`);
    await page.key('Enter');
    await page.key('Tab');
    assert.equal(await page.focused(), 'Rename');
    await page.key('Escape');
    assert.equal(await page.evaluate(`document.activeElement.getAttribute('popovertarget')`), 'actions');
    await page.key('Tab');
    await page.key('Enter');
    await page.until(`document.querySelector('dialog[open]')`);
    for (let i = 0; i < 14; ++i) {
        await page.key('Tab');
        assert.ok(await page.evaluate(`document.activeElement === document.body || !!document.activeElement.closest('dialog')`), 'the focus stays in the dialog');
    }
    await page.key('Escape');
    await page.until(`document.activeElement.textContent.startsWith('Settings')`);
});

harness.test('the theme is chosen, kept, and shared by both pages', {}, async (page) => {
    const ground = `getComputedStyle(document.body).backgroundColor`;
    const light = await page.evaluate(ground);
    await page.evaluate(`document.querySelector('input[value=dark]').click()`);
    const dark = await page.evaluate(ground);
    assert.notEqual(dark, light);
    await page.click('.bottom a');
    await page.until(`document.title.startsWith('Numerics') && document.querySelector('h1')`);
    assert.equal(await page.evaluate(ground), dark);
});

harness.test('nothing moves for those who do not want it', { features: [{ name: 'prefers-reduced-motion', value: 'reduce' }] }, async (page) => {
    await page.ask('slow');
    await page.until(`document.querySelector('.pulse, .thoughts')`);
    assert.equal(await page.evaluate(`document.getAnimations().length`), 0);
    await page.key('Escape');
});

harness.run();
