// The parts of the chat page that need no browser: test_parts.mjs
import assert from 'node:assert/strict';
import test from 'node:test';
import { events } from '../../web/chat/source/events.js';
import { parse_blocks } from '../../web/chat/source/markdown/blocks.js';
import { parse_inline, safe_url, text_of } from '../../web/chat/source/markdown/inline.js';
import { figures } from '../../web/chat/source/run.js';
import { fields, read, request_of } from '../../web/chat/source/settings.js';
import { Speech } from '../../web/chat/source/speech.js';
import { Store } from '../../web/chat/source/store.js';

// Nodes as short HTML, which is read more easily than objects.
function html(nodes) {
    return nodes.map((node) => {
        if (typeof node === 'string') return node;
        if (node.type === 'code') return `<code>${node.text}</code>`;
        if (node.type === 'break') return '<br>';
        if (node.type === 'link') return `<a ${node.href}>${html(node.children)}</a>`;
        return `<${node.type}>${html(node.children)}</${node.type}>`;
    }).join('');
}

const inline_cases = [
    ['**a** *b* ***c*** _d_ ~~e~~', '<strong>a</strong> <em>b</em> <em><strong>c</strong></em> <em>d</em> <del>e</del>'],
    ['snake_case_name and 2 * 3 * 4, ~5', 'snake_case_name and 2 * 3 * 4, ~5'],
    ['**open and *half* done', '**open and <em>half</em> done'],
    ['**foo*bar*baz** foo**bar**baz', '<strong>foo<em>bar</em>baz</strong> foo<strong>bar</strong>baz'],
    ['这是**重点。**然后 **“引号”**和*强调*文', '这是<strong>重点。</strong>然后 <strong>“引号”</strong>和<em>强调</em>文'],
    ['`a*b*` `` x`y `` `open', '<code>a*b*</code> <code>x`y</code> `open'],
    ['\\*a\\* \\[b] \\\\ \\z', '*a* [b] \\ \\z'],
    ['[a *b*](https://x.org/p_(q) "t") [c](<https://y.org>)', '<a https://x.org/p_(q)>a <em>b</em></a> <a https://y.org/>c</a>'],
    ['![picture](https://x.org/i.png)', '<a https://x.org/i.png>picture</a>'],
    ['[a](javascript:alert(1)) [b](data:text/html,x) [c](/etc) [d](vbscript:x)', '[a](javascript:alert(1)) [b](data:text/html,x) [c](/etc) [d](vbscript:x)'],
    ['see https://x.org/a?b=1. (https://y.org) <https://z.org> 见https://w.org。好', 'see <a https://x.org/a?b=1>https://x.org/a?b=1</a>. (<a https://y.org/>https://y.org</a>) <a https://z.org/>https://z.org</a> 见<a https://w.org/>https://w.org</a>。好'],
    ['<b>bold</b> <script>x</script> a<br>b', '<b>bold</b> <script>x</script> a<br>b'],
    ['[a][b] [c] [d](', '[a][b] [c] [d]('],
];

test('Markdown inside a block', () => {
    for (const [text, expected] of inline_cases) assert.equal(html(parse_inline(text)), expected);
});

test('only addresses that a click may follow', () => {
    assert.equal(safe_url('HTTPS://x.org'), 'https://x.org/');
    assert.equal(safe_url('mailto:a@b.org'), 'mailto:a@b.org');
    for (const url of ['javascript:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'blob:https://x.org/1', 'file:///etc/passwd', '//x.org', 'x', ''])
        assert.equal(safe_url(url), undefined, url);
});

test('blocks of Markdown', () => {
    const paragraph = (text) => ({ type: 'paragraph', text });
    const list = (items, more = {}) => ({ type: 'list', start: undefined, loose: false, items, ...more });
    const cases = [
        ['# One\n## Two ##\n#three', [{ type: 'heading', level: 1, text: 'One' }, { type: 'heading', level: 2, text: 'Two' }, paragraph('#three')]],
        ['a\nb\n\nc', [paragraph('a\nb'), paragraph('c')]],
        ['- a\n- b\n  - c\n- d', [list([[paragraph('a')], [paragraph('b'), list([[paragraph('c')]])], [paragraph('d')]])]],
        ['3. a\n4. b', [list([[paragraph('a')], [paragraph('b')]], { start: 3 })]],
        ['- a\n\n- b', [list([[paragraph('a')], [paragraph('b')]], { loose: true })]],
        ['1. a\n   ```sh\n   ls\n   ```\n2. b', [list([[paragraph('a'), { type: 'code', language: 'sh', text: 'ls' }], [paragraph('b')]], { start: 1 })]],
        ['born in\n1984. A year', [paragraph('born in\n1984. A year')]],
        ['```js\n\tlet a;\n```\nb', [{ type: 'code', language: 'js', text: '\tlet a;' }, paragraph('b')]],
        ['```\nstill open\n**x', [{ type: 'code', language: '', text: 'still open\n**x' }]],
        ['````\n```\n````', [{ type: 'code', language: '', text: '```' }]],
        ['> a\n> > b\n\nc', [{ type: 'quote', children: [paragraph('a'), { type: 'quote', children: [paragraph('b')] }] }, paragraph('c')]],
        ['---\n***\n- - -', [{ type: 'rule' }, { type: 'rule' }, { type: 'rule' }]],
        ['| a | b |\n|:-:|--:|\n| 1 \\| 2 |\nc', [{ type: 'table', align: ['center', 'right'], head: ['a', 'b'], rows: [['1 | 2', '']] }, paragraph('c')]],
        ['a | b\nnot a table', [paragraph('a | b\nnot a table')]],
        ['<div>\n<p>x</p>', [paragraph('<div>\n<p>x</p>')]],
        ['', []],
    ];
    for (const [text, expected] of cases) assert.deepEqual(parse_blocks(text), expected, text);
});

// A model may write anything, and a second of work for each token would freeze the page. Each text is far longer than an answer; quadratic
// work takes minutes for some of them. 3 s leaves a loaded machine a factor of ten and more.
test('Markdown takes linear time', () => {
    const n = 50000;
    const texts = {
        'stars': '*a '.repeat(n), 'strong and not': '*a **b '.repeat(n), 'closers': 'a* '.repeat(n), 'nested': '**a *b '.repeat(n) + 'c* d**'.repeat(n), 'brackets': '['.repeat(n) + ']('.repeat(n),
        'links': '[a](x '.repeat(n), 'link and space': ('[a](' + ' '.repeat(2000)).repeat(100), 'ticks': '`a ``b '.repeat(n), 'tick runs': Array.from({ length: 600 }, (_, i) => '`'.repeat(i)).join(' '),
        'marks': '**_~~['.repeat(n), 'addresses': 'https://'.repeat(n), 'angles': '<'.repeat(n), 'han': '重**点。'.repeat(n),
    };
    const blocks = {
        'quotes': '>'.repeat(n), 'lists': '- '.repeat(n), 'stairs': Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}- a`).join('\n'), 'heading': `# ${' '.repeat(n)}x`, 'hashes': '# '.repeat(n),
        'fence': `\`\`\`${' '.repeat(n)}\``, 'rule': `${'* '.repeat(n)}x`, 'dashes': `a|b\n${'- '.repeat(n)}|x`, 'tables': '|a\n|-\n'.repeat(n), 'blank': `- a${'\n'.repeat(n)}b`, 'loose': '- a\n\n'.repeat(n),
    };
    const timed = (name, work) => {
        const begun = performance.now();
        work();
        assert.ok(performance.now() - begun < 3000, name);
    };
    for (const [name, text] of Object.entries(texts)) timed(name, () => parse_inline(text).map(text_of));
    for (const [name, text] of Object.entries(blocks)) timed(name, () => parse_blocks(text));
});

test('no mark of a random text is lost', () => {
    let seed = 7;
    const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % n;
    const signs = ['a', ' ', '*', '**', '_', '~~', '`', '[', '](', ')', '\\', '<', '好', '。', '\n', '!'];
    for (let i = 0; i < 3000; ++i) {
        const text = Array.from({ length: 1 + random(25) }, () => signs[random(signs.length)]).join('');
        const kept = parse_inline(text).map(text_of).join('');
        const letters = (s) => s.replace(/[^a好。]/g, '');
        assert.equal(letters(kept), letters(text), text);
    }
});

async function events_of(pieces) {
    const bytes = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece));
    const found = [];
    for await (const event of events(ReadableStream.from(bytes))) found.push(event);
    return found;
}

test('server-sent events, cut anywhere', async () => {
    assert.deepEqual(await events_of(['data: a\n\nda', 'ta: b\n', '\n: comment\n\ndata:c\r\n\r', '\nevent: x\ndata: d\ndata: e\n\ndata: lost']), ['a', 'b', 'c', 'd\ne']);
    const text = new TextEncoder().encode('data: 你好😀\r\n\r\ndata: x\n\n');
    for (let i = 1; i < text.length; ++i) assert.deepEqual(await events_of([text.slice(0, i), text.slice(i)]), ['你好😀', 'x']);
});

test('a screen reader hears sentences, not tokens', () => {
    const said = [];
    let now = 0;
    const speech = new Speech((text) => said.push(text), () => now);
    const text = 'The **first** sentence. The second is `code`. 第三句。And an end without';
    for (let i = 1; i <= text.length; ++i, now += 100) speech.grown(text.slice(0, i));
    speech.finished(text, 'Answer complete.');
    assert.equal(said.join(' '), 'The first sentence. The second is code. 第三句。 And an end without Answer complete.');
    // One at once, one in 4 s, the rest and the closing words.
    assert.ok(said.length <= 3 + (text.length * 100) / 4000, said);
});

test('settings: what is empty is not sent, what is wrong is not used', () => {
    const field = Object.fromEntries(fields.map((f) => [f.name, f]));
    assert.equal(read(field.temperature, ' '), undefined);
    assert.equal(read(field.temperature, '0'), 0);
    assert.equal(read(field.temperature, '0.7'), 0.7);
    for (const text of ['-1', '5.1', 'hot', '1e999', 'NaN']) assert.equal(read(field.temperature, text), null, text);
    for (const text of ['1.5', '0', '-1']) assert.equal(read(field.max_tokens, text), null, text);
    assert.deepEqual(request_of({ temperature: 0, seed: 3, thinking: false, system: 'x' }), { temperature: 0, seed: 3, chat_template_kwargs: { enable_thinking: false } });
    assert.deepEqual(request_of({}), {});
});

test('figures of an answer', () => {
    const f = figures({ usage: { completion_tokens: 11, prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 2 } }, n_pieces: 9, first: 500, last: 1500, state: 'done' });
    assert.deepEqual(f, { n_tokens: 11, exact: true, per_second: 10, first_seconds: 0.5, n_prompt: 5, n_cached: 2 });
    assert.equal(figures({ n_pieces: 1, first: 5, last: 5 }).per_second, undefined);
    assert.equal(figures({ n_pieces: 9, first: 5, last: 6, timings: { answer_tokens_per_second: 42 } }).per_second, 42);
    assert.equal(figures({ n_pieces: 3, first: 0, last: 1000 }).exact, false);
});

class Memory extends Map {
    get length() { return this.size; }
    key = (i) => [...this.keys()][i];
    getItem = (key) => this.get(key) ?? null;
    setItem(key, text) {
        if (this.full) throw new Error('quota');
        this.set(key, text);
    }
    removeItem = (key) => this.delete(key);
}

test('the store keeps, reads and survives', () => {
    const storage = new Memory([['kylin.chat.bad', '{'], ['kylin.chat.odd', '{"id": 3}'], ['other', 'x']]);
    const store = new Store(storage);
    assert.equal(store.list().length, 0);
    const one = { id: 'one', title: 'T', created: 1, updated: 1, settings: {}, messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'h', reasoning: '', state: 'running' }] };
    store.put(one);
    store.write();
    const again = new Store(storage);
    assert.deepEqual(again.get('one').messages[1].state, 'stopped');
    assert.equal(storage.get('kylin.chat.bad'), '{', 'what is not understood is left alone');
    again.on_storage({ key: 'kylin.chat.two', newValue: JSON.stringify({ ...one, id: 'two' }) });
    again.on_storage({ key: 'kylin.chat.one', newValue: null });
    assert.deepEqual(again.list().map(({ id }) => id), ['two']);
    storage.full = true;
    store.change('one', { title: 'lost' });
    store.write();
    assert.match(store.problem, /full/);
    storage.full = false;
    store.write();
    assert.equal(store.problem, undefined);
    assert.equal(JSON.parse(storage.get('kylin.chat.one')).title, 'lost');
    store.remove('one');
    assert.equal(storage.has('kylin.chat.one'), false);
});
