// LangChain's client against kylin serve: test_langchain.mjs KYLIN ECHOING_SERVER. Needs node_modules/, see install.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { z } from 'zod';
import { call_text, start_echo, start_kylin } from './server.mjs';

const origin = await start_kylin(), echo_origin = await start_echo();
const configuration_of = (base) => ({ apiKey: 'none', maxRetries: 0, configuration: { baseURL: `${base}/v1` } });
const kylin = (more = {}) => new ChatOpenAI({
    model: 'Kylin Demo', temperature: 0, maxTokens: 200, ...configuration_of(origin),
    modelKwargs: { chat_template_kwargs: { enable_thinking: false } }, ...more,
});
const echo = () => new ChatOpenAI({ model: 'echo', temperature: 0, ...configuration_of(echo_origin) });
const question = 'What is the capital of France?', expected = 'The capital of France is Paris.';

test('chat, and the usage', async () => {
    const answer = await kylin().invoke([new HumanMessage(question)]);
    assert.equal(answer.content, expected);
    assert.equal(answer.usage_metadata.total_tokens, answer.usage_metadata.input_tokens + answer.usage_metadata.output_tokens);
});

test('streaming', async () => {
    const parts = [];
    for await (const part of await kylin().stream(question)) parts.push(part.content);
    assert.equal(parts.join(''), expected);
    assert(parts.filter(Boolean).length > 1, 'arrives in pieces');
});

test('a conversation, and several at a time', async () => {
    const turns = [new SystemMessage('Answer.'), new HumanMessage('Hello'), new AIMessage('Hello.'), new HumanMessage('Say it again.')];
    assert.equal((await echo().invoke(turns)).content, 'Say it again.');
    const answers = await echo().batch(['one', 'two', 'three']);
    assert.deepEqual(answers.map((answer) => answer.content), ['one', 'two', 'three']);
});

test('structured output', async () => {
    const schema = z.object({ city: z.string().max(12), districts: z.array(z.enum(['north', 'south'])).max(2) });
    const answer = await kylin({ maxTokens: 400 }).withStructuredOutput(schema, { method: 'jsonSchema', strict: true }).invoke(question);
    assert.deepEqual(schema.parse(answer), answer);
});

test('a call and its result', async () => {
    const weather = tool(({ city }) => `sunny in ${city}`, { name: 'weather', description: 'Of a city', schema: z.object({ city: z.string() }) });
    const ask = echo().bindTools([weather]);
    const asked = new HumanMessage(call_text('weather', { city: 'Oslo' }));
    const called = await ask.invoke([asked]);
    assert.deepEqual(called.tool_calls.map(({ name, args }) => [name, args]), [['weather', { city: 'Oslo' }]]);
    const result = await weather.invoke(called.tool_calls[0]);
    assert(result instanceof ToolMessage);
    assert.equal((await ask.invoke([asked, called, result])).content, 'sunny in Oslo');

    let streamed;
    for await (const part of await ask.stream([asked])) streamed = streamed ? streamed.concat(part) : part;
    assert.deepEqual(streamed.tool_calls.map(({ name, args }) => [name, args]), [['weather', { city: 'Oslo' }]]);
});

test('embeddings', async () => {
    const embeddings = new OpenAIEmbeddings({ model: 'Kylin Demo', ...configuration_of(origin) });
    const [first, second, third] = await embeddings.embedDocuments(['Hello', 'Paris', 'Hello']);
    assert.deepEqual(first, third);
    assert.notDeepEqual(first, second);
    assert.deepEqual(await embeddings.embedQuery('Paris'), second);
});

test('an abort ends an answer', async () => {
    const endless = kylin({ maxTokens: 3000, modelKwargs: { ignore_eos: true } });
    const abort = new AbortController();
    await assert.rejects(async () => {
        for await (const part of await endless.stream(question, { signal: abort.signal })) if (part.content) abort.abort();
    });
});
