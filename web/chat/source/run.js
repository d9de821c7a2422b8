// One answer: asks for it, and reports it as it grows.
import { events } from './events.js';
import { Refused } from './server.js';
import { request_of } from './settings.js';

const max_waits = 10;  // times that a full server is asked again
const max_wait = 60;   // seconds
const cut_short = 'The connection ended before the answer did.';

function pause(seconds, signal) {
    return new Promise((resolve, reject) => {
        const stop = () => {
            clearTimeout(timer);
            reject(signal.reason);
        };
        const timer = setTimeout(() => {
            signal.removeEventListener('abort', stop);
            resolve();
        }, 1000 * seconds);
        signal.addEventListener('abort', stop, { once: true });
    });
}

// Thoughts are not sent back: the models' own templates drop those of earlier answers. Nor is an answer without words.
function request(conversation, model) {
    const { system } = conversation.settings;
    const messages = conversation.messages.filter((message) => message.role === 'user' || message.content !== '').map(({ role, content }) => ({ role, content }));
    return {
        ...(model && { model }),
        messages: [...(system?.trim() ? [{ role: 'system', content: system }] : []), ...messages],
        ...request_of(conversation.settings),
        stream: true,
        stream_options: { include_usage: true },
    };
}

// Reads the stream into `message`, calling report() after each event. Times are milliseconds since the question was sent.
async function read(response, message, { asked_at, report }) {
    for await (const data of events(response.body)) {
        if (data === '[DONE]') return;
        const event = JSON.parse(data);
        if (event.error) throw new Refused(response.status, event.error.message);
        message.id ??= event.id;
        message.usage = event.usage ?? message.usage;
        const [choice] = event.choices ?? [];
        const { content, reasoning_content: thoughts } = choice?.delta ?? {};
        if (!content && !thoughts && !choice?.finish_reason) continue;
        message.finish = choice.finish_reason ?? message.finish;
        message.timings = choice.timings ?? message.timings;
        message.watched = choice.watched ?? message.watched;
        message.last = performance.now() - asked_at;
        if (content || thoughts) {
            message.first ??= message.last;
            ++message.n_pieces;
            if (thoughts || (message.reasoning && !message.content)) message.thought = message.last - message.first;
        }
        message.reasoning += thoughts ?? '';
        message.content += content ?? '';
        report();
    }
    throw new Error(cut_short);
}

// What went wrong, for the reader. A connection that fails is a TypeError, whenever it does.
function reason(error, answered) {
    if (error instanceof TypeError) return answered ? cut_short : 'The server does not answer.';
    return error.message;
}

// Answers the conversation, whose last message is the reader's. report(message) is called for every change with a message of its own;
// the last one's state is done, stopped or failed. `signal` stops it: what has come is kept.
export async function answer(server, conversation, { model, signal, report }) {
    const message = { role: 'assistant', content: '', reasoning: '', state: 'running', n_pieces: 0, model, sent: request_of(conversation.settings) };
    const tell = () => report({ ...message });
    tell();
    for (let waits = 0; ; ++waits) {
        const asked_at = performance.now();
        let response;
        try {
            response = await server.ask('v1/chat/completions', { body: request(conversation, model), signal });
            await read(response, message, { asked_at, report: tell });
            message.state = 'done';
        } catch (error) {
            const full = error.status === 429 && waits < max_waits && (error.retry_after ?? 1) <= max_wait;
            message.state = signal.aborted ? 'stopped' : full ? 'running' : 'failed';
            if (!signal.aborted) message.error = { status: error.status, reason: reason(error, response !== undefined) };
            if (full) {
                message.waits_until = Date.now() + 1000 * (error.retry_after ?? 1);
                tell();
                await pause(error.retry_after ?? 1, signal).catch(() => { message.state = 'stopped'; });
                delete message.waits_until;
                delete message.error;
            }
        }
        if (message.state !== 'running') return tell();
    }
}

// What the line under an answer says. Count and speed are the server's: pieces reach a browser in bundles, and some tokens are not shown.
// While the server has not told them, the pieces that came stand for them.
export function figures({ usage, timings, n_pieces, first, last }) {
    const n = usage?.completion_tokens ?? n_pieces;
    const seen = n > 1 && last > first ? (1000 * (n - 1)) / (last - first) : undefined;
    return {
        n_tokens: n,
        exact: usage !== undefined,
        per_second: timings?.answer_tokens_per_second || seen,
        first_seconds: first === undefined ? undefined : first / 1000,
        n_prompt: usage?.prompt_tokens,
        n_cached: usage?.prompt_tokens_details?.cached_tokens,
    };
}
