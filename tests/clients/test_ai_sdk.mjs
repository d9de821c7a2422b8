// Vercel's AI SDK against kylin serve: test_ai_sdk.mjs KYLIN ECHOING_SERVER. Needs node_modules/, see install.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { call_text, start_echo, start_kylin } from './server.mjs';

const provider_of = (origin) => createOpenAICompatible({ name: 'kylin', baseURL: `${origin}/v1`, includeUsage: true, supportsStructuredOutputs: true });
const kylin = provider_of(await start_kylin()), echo = provider_of(await start_echo());
const model = 'Kylin Demo';

const question = (more = {}) => ({
    model: kylin(model),
    prompt: 'What is the capital of France?',
    temperature: 0,
    maxOutputTokens: 200,
    maxRetries: 0,
    providerOptions: { kylin: { chat_template_kwargs: { enable_thinking: false } } },
    ...more,
});
const expected = 'The capital of France is Paris.';

test('chat', async () => {
    const { text, finishReason, usage } = await generateText(question());
    assert.equal(text, expected);
    assert.equal(finishReason, 'stop');
    assert(usage.inputTokens > 0 && usage.totalTokens === usage.inputTokens + usage.outputTokens);
});

test('streaming', async () => {
    const answer = streamText(question());
    const parts = [];
    for await (const part of answer.textStream) parts.push(part);
    assert.equal(parts.join(''), expected);
    assert(parts.length > 1, 'arrives in pieces');
    assert((await answer.usage).outputTokens >= parts.length);
});

test('thoughts come apart', async () => {
    const ask = { model: echo('echo'), prompt: '<think>\nHm.\n</think>\n\nOslo.', temperature: 0 };
    const whole = await generateText(ask);
    assert.deepEqual([whole.reasoningText.trim(), whole.text], ['Hm.', 'Oslo.']);
    const streamed = streamText(ask);
    assert.equal(await streamed.text, whole.text);
    assert.equal(await streamed.reasoningText, whole.reasoningText);
});

test('structured output', async () => {
    const schema = z.object({ city: z.string().max(12), districts: z.array(z.enum(['north', 'south'])).max(2) });
    const { output } = await generateText(question({ output: Output.object({ schema }), maxOutputTokens: 400 }));
    assert.deepEqual(schema.parse(output), output);
});

test('the loop of calls and results, whole and streamed', async () => {
    const asked = [];
    const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: ({ city }) => (asked.push(city), `sunny in ${city}`) });
    const ask = { model: echo('echo'), prompt: call_text('weather', { city: 'Oslo' }), temperature: 0, tools: { weather }, stopWhen: stepCountIs(3) };
    const whole = await generateText(ask);
    assert.equal(whole.steps[0].finishReason, 'tool-calls');
    assert.match(whole.text, /sunny in Oslo/);
    assert.match(await streamText(ask).text, /sunny in Oslo/);
    assert.deepEqual(asked, ['Oslo', 'Oslo']);
});

test('embeddings', async () => {
    const { embeddings } = await embedMany({ model: kylin.textEmbeddingModel(model), values: ['Hello', 'Paris', 'Hello'], maxRetries: 0 });
    assert.deepEqual(embeddings[0], embeddings[2]);
    assert.notDeepEqual(embeddings[0], embeddings[1]);
});

test('errors arrive as the errors they are', async () => {
    await assert.rejects(generateText(question({ temperature: -1 })), (error) => {
        assert(error instanceof APICallError);
        assert.equal(error.statusCode, 400);
        assert.match(error.message, /temperature/);
        return true;
    });
});

test('an abort ends a stream', async () => {
    const abort = new AbortController();
    const answer = streamText(question({
        abortSignal: abort.signal, maxOutputTokens: 3000, providerOptions: { kylin: { ignore_eos: true } },
    }));
    let aborted = false;
    for await (const part of answer.fullStream) {
        if (part.type === 'text-delta') abort.abort();
        aborted ||= part.type === 'abort';
    }
    assert(aborted);
});
