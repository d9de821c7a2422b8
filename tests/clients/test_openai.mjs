// OpenAI's own client against kylin serve: test_openai.mjs KYLIN ECHOING_SERVER. Needs node_modules/, see install.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { APIUserAbortError, BadRequestError, NotFoundError } from 'openai';
import { zodFunction } from 'openai/helpers/zod';
import { z } from 'zod';
import { call_text, start_echo, start_kylin } from './server.mjs';

const client_of = (origin) => new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', maxRetries: 0 });
const origin = await start_kylin();
const client = client_of(origin), echo = client_of(await start_echo());
const model = (await client.models.list()).data[0].id;

const question = (more = {}) => ({
    model,
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    temperature: 0,
    max_tokens: 200,
    chat_template_kwargs: { enable_thinking: false },
    ...more,
});
const expected = 'The capital of France is Paris.';

test('chat', async () => {
    const answer = await client.chat.completions.create(question({ logprobs: true, top_logprobs: 2, seed: 1 }));
    const [choice] = answer.choices;
    assert.equal(choice.message.content, expected);
    assert.equal(choice.finish_reason, 'stop');
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.equal(choice.logprobs.content.map((entry) => entry.token).join(''), expected);
    for (const entry of choice.logprobs.content) {
        assert.equal(entry.top_logprobs.length, 2);
        // Greedy: what was chosen is the likeliest.
        assert.equal(entry.logprob, entry.top_logprobs[0].logprob);
    }
});

test('chat, n answers and stop', async () => {
    const answer = await client.chat.completions.create(question({ n: 2, stop: [' Paris'] }));
    assert.deepEqual(answer.choices.map((choice) => choice.message.content), Array(2).fill(expected.split(' Paris')[0]));
});

test('streaming, with usage', async () => {
    const stream = await client.chat.completions.create(question({ stream: true, stream_options: { include_usage: true } }));
    let text = '', reason, usage, deltas = 0;
    for await (const chunk of stream) {
        if (chunk.usage) usage = chunk.usage;
        for (const choice of chunk.choices) {
            if (choice.delta.content) ++deltas, text += choice.delta.content;
            reason ??= choice.finish_reason;
        }
    }
    assert.equal(text, expected);
    assert.equal(reason, 'stop');
    assert(deltas > 1, 'arrives in pieces');
    assert(usage.completion_tokens >= deltas);
});

test('streaming, gathered by the client', async () => {
    assert.equal(await client.chat.completions.stream(question()).finalContent(), expected);
});

test('completions', async () => {
    const request = { model, prompt: 'Hello', max_tokens: 8, temperature: 0 };
    const whole = await client.completions.create(request);
    let text = '';
    for await (const chunk of await client.completions.create({ ...request, stream: true })) text += chunk.choices[0].text;
    assert.equal(text, whole.choices[0].text);
    assert(whole.usage.completion_tokens <= 8);
});

test('errors arrive as the errors they are', async () => {
    await assert.rejects(client.chat.completions.create(question({ temperature: -1 })), (error) => {
        assert(error instanceof BadRequestError);
        assert.equal(error.param, 'temperature');
        return true;
    });
    await assert.rejects(client.chat.completions.create(question({ model: '../../x' })), NotFoundError);
});

test('structured output', async () => {
    const schema = {
        type: 'object',
        additionalProperties: false,
        required: ['city', 'population', 'districts'],
        properties: {
            city: { type: 'string', maxLength: 12 },
            population: { type: 'integer', minimum: 1, maximum: 99 },
            districts: { type: 'array', maxItems: 2, items: { enum: ['north', 'south'] } },
        },
    };
    const format = { type: 'json_schema', json_schema: { name: 'city', strict: true, schema } };
    const request = question({ response_format: format, max_tokens: 400 });
    const answer = await client.chat.completions.parse(request);
    const city = answer.choices[0].message.parsed;
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.deepEqual(Object.keys(city), ['city', 'population', 'districts']);
    assert(city.city.length <= 12 && city.population >= 1 && city.population <= 99);
    assert(city.districts.every((district) => ['north', 'south'].includes(district)));
    assert.deepEqual(JSON.parse(await client.chat.completions.stream(request).finalContent()), city);

    const object = await client.chat.completions.create(question({ response_format: { type: 'json_object' }, max_tokens: 400, seed: 3, temperature: 1 }));
    if (object.choices[0].finish_reason === 'stop') assert.equal(typeof JSON.parse(object.choices[0].message.content), 'object');
    else assert.equal(object.choices[0].finish_reason, 'length');
});

test('embeddings', async () => {
    const input = ['Hello', 'The capital of France is Paris.', 'Hello'];
    const { data, usage } = await client.embeddings.create({ model, input });  // the client asks for base64 and unpacks it
    assert.equal(data.length, 3);
    for (const { embedding } of data) assert(Math.abs(embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5);  // rounding to F32
    assert.deepEqual(data[0].embedding, data[2].embedding);
    assert.notDeepEqual(data[0].embedding, data[1].embedding);
    const numbers = await client.embeddings.create({ model, input: input[1], encoding_format: 'float' });
    assert.deepEqual(numbers.data[0].embedding, Array.from(data[1].embedding));
    assert(usage.prompt_tokens > 3 && usage.total_tokens === usage.prompt_tokens);
});

// An answer that looks right but was not held to its form would be worse than none.
test('what would constrain the answer is refused', async () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const tools = [{ type: 'function', function: { name: 'weather', parameters } }];
    const refused = [
        [{ response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: { ...parameters, uniqueItems: true } } } },
            /^response_format.json_schema.schema/],
        [{ tools: [{ type: 'function', function: { name: 'weather', parameters: { not: {} } } }], tool_choice: 'required' }, /^tools\[0\]/],
        [{ tools, tool_choice: { type: 'function', function: { name: 'time' } } }, /^tool_choice/],
    ];
    for (const [more, param] of refused)
        await assert.rejects(client.chat.completions.create(question(more)), (error) => {
            assert(error instanceof BadRequestError);
            assert.match(error.param, new RegExp(param));
            return true;
        });
});

const weather = {
    type: 'function',
    function: {
        name: 'weather',
        description: 'The weather of a city',
        parameters: { type: 'object', properties: { city: { enum: ['Oslo', 'Rome'] } }, required: ['city'], additionalProperties: false },
    },
};
const time = { type: 'function', function: { name: 'time' } };
const said = (content, more = {}) => ({ model: 'echo', messages: [{ role: 'user', content }], temperature: 0, ...more });
const names = (message) => (message.tool_calls ?? []).map((call) => call.function.name);

test('tools, called as the model likes', async () => {
    const text = `I look. ${call_text('weather', { city: 'Oslo' })}\n${call_text('time', {})}`;
    const { choices } = await echo.chat.completions.create(said(text, { tools: [weather, time] }));
    assert.equal(choices[0].finish_reason, 'tool_calls');
    assert.equal(choices[0].message.content, 'I look.');
    assert.deepEqual(names(choices[0].message), ['weather', 'time']);
    assert.deepEqual(JSON.parse(choices[0].message.tool_calls[0].function.arguments), { city: 'Oslo' });
    assert.equal(new Set(choices[0].message.tool_calls.map((call) => call.id)).size, 2);

    const streamed = await echo.chat.completions.stream(said(text, { tools: [weather, time] })).finalChatCompletion();
    assert.equal(streamed.choices[0].finish_reason, 'tool_calls');
    const plain = (message) => [message.content, message.tool_calls.map((call) => [call.type, call.function.name, call.function.arguments])];
    assert.deepEqual(plain(streamed.choices[0].message), plain(choices[0].message));

    const one = await echo.chat.completions.create(said(text, { tools: [weather, time], parallel_tool_calls: false }));
    assert.deepEqual(names(one.choices[0].message), ['weather']);
    const none = await echo.chat.completions.create(said(text, { tools: [weather, time], tool_choice: 'none' }));
    assert.equal(none.choices[0].message.content, text);
    assert.equal(none.choices[0].finish_reason, 'stop');
});

test('what is no call of a tool is text', async () => {
    for (const text of ['Oslo.', call_text('money', {}), '<tool_call>no</tool_call>', 'a <tool_call>{"name": "time"']) {
        const { choices } = await echo.chat.completions.create(said(text, { tools: [weather, time] }));
        assert.equal(choices[0].message.content, text);
        assert.equal(choices[0].finish_reason, 'stop');
    }
});

test('tools that must be called, whatever the model would say', async () => {
    for (const [ask, who, more] of [[echo, 'echo', {}], [client, model, { seed: 7, temperature: 1 }]]) {
        const request = { model: who, messages: [{ role: 'user', content: 'Hello' }], temperature: 0, max_tokens: 300, tools: [weather, time], ...more };
        const named = { type: 'function', function: { name: 'weather' } };
        const must = await ask.chat.completions.create({ ...request, tool_choice: named, parallel_tool_calls: false });
        assert.equal(must.choices[0].finish_reason, 'tool_calls');
        assert.deepEqual(names(must.choices[0].message), ['weather']);
        assert(['Oslo', 'Rome'].includes(JSON.parse(must.choices[0].message.tool_calls[0].function.arguments).city));
        const any = await ask.chat.completions.create({ ...request, tool_choice: 'required', parallel_tool_calls: false });
        assert.equal(names(any.choices[0].message).length, 1);
    }
});

test('a strict tool is called with what its schema allows, or not at all', async () => {
    const strict = { type: 'function', function: { ...weather.function, strict: true } };
    const { choices } = await echo.chat.completions.create(said(call_text('weather', { city: 'Paris' }), { tools: [strict] }));
    assert(['Oslo', 'Rome'].includes(JSON.parse(choices[0].message.tool_calls[0].function.arguments).city));
    const text = await echo.chat.completions.create(said('Just <b>text</b>.', { tools: [strict] }));
    assert.equal(text.choices[0].message.content, 'Just <b>text</b>.');
});

test('the loop of calls and results, run by the client', async () => {
    const asked = [];
    const tool = zodFunction({ name: 'weather', parameters: z.object({ city: z.string() }), function: ({ city }) => (asked.push(city), `sunny in ${city}`) });
    const runner = echo.chat.completions.runTools(said(call_text('weather', { city: 'Oslo' }), { tools: [tool] }));
    assert.match(await runner.finalContent(), /sunny in Oslo/);
    assert.deepEqual(asked, ['Oslo']);
});

// Once the client is gone; with room for a loaded machine, though it should take one step.
async function all_free() {
    const end = Date.now() + 20000;
    for (;;) {
        const slots = await (await fetch(`${origin}/slots`)).json();
        if (slots.running === 0 && slots.waiting === 0 && slots.kv_pages.used === 0 && slots.answers.length === 0) return;
        assert(Date.now() < end, JSON.stringify(slots));
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

const cancelled = 'kylin_answers_total{reason="cancelled"}';

async function count(name) {
    const metrics = (await (await fetch(`${origin}/metrics`)).text()).split('\n');
    return Number(metrics.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? 0);
}

// Ends by an abort, or with the reason "length".
const endless = (more) => question({ ignore_eos: true, max_tokens: 3000, ...more });

test('an aborted stream frees what it held', async () => {
    const before = await count(cancelled);
    const stream = await client.chat.completions.create(endless({ stream: true }));
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;  // the client aborts what is left of it
    await all_free();
    assert.equal(await count(cancelled), before + 1);
});

test('an aborted whole answer frees what it held', async () => {
    const before = await count(cancelled), begun = await count('kylin_answer_tokens_total');
    const abort = new AbortController();
    const answer = assert.rejects(client.chat.completions.create(endless(), { signal: abort.signal }), APIUserAbortError);
    while ((await count('kylin_answer_tokens_total')) === begun) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    await answer;
    await all_free();
    assert.equal(await count(cancelled), before + 1);
});
