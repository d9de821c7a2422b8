// A server that speaks Kylin's API as a test tells it: it shows the pages as kylin serve does, and answers a question by its first word.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };

function words(text) {
    return text.match(/\s*\S+|\s+$/g) ?? [];
}

export class FakeServer {
    // answers: first word of a question -> { thoughts, text, gap (ms between words), status, reason, retry_after, breaks, finish }
    constructor(web, answers) {
        this.web = web;
        this.answers = answers;
        this.requests = [];     // bodies of the questions, in order
        this.abandoned = 0;     // answers whose reader went away
        this.key = undefined;
        this.numerics = undefined;
        this.policy = readFileSync(join(web, 'content-security-policy'), 'utf8').trim();
        this.server = createServer((request, response) => this.handle(request, response).catch((error) => response.destroy(error)));
    }

    async listen(port = 0) {
        await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
        this.port = this.server.address().port;
        this.url = `http://127.0.0.1:${this.port}/`;
    }

    async close() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
    }

    json(response, value, status = 200, headers = {}) {
        response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value));
    }

    refuse(response, status, message, headers = {}) {
        this.json(response, { error: { message, type: 'invalid_request_error', param: null, code: null } }, status, headers);
    }

    async handle(request, response) {
        const path = request.url.split('?')[0];
        const pages = { '/': 'chat.html', ...(request.headers.accept?.includes('text/html') && { '/numerics': 'numerics.html' }) };
        const file = pages[path] ?? path.slice(1);
        if (/^(chat\.html|numerics\.html|assets\/\w+\.(js|css))$/.test(file)) {
            response.writeHead(200, { 'Content-Type': types[file.split('.').pop()], 'Content-Security-Policy': this.policy, 'X-Content-Type-Options': 'nosniff' });
            return response.end(readFileSync(join(this.web, 'dist', file)));
        }
        if (path === '/health') return this.json(response, { status: 'ok' });
        if (this.key && request.headers.authorization !== `Bearer ${this.key}`) return this.refuse(response, 401, 'the API key is missing or wrong: Authorization: Bearer KEY');
        if (path === '/v1/models') return this.json(response, { object: 'list', data: [{ id: 'Kylin Demo', object: 'model', created: 0, owned_by: 'kylin' }] });
        if (path === '/model/info') return this.json(response, { name: 'Kylin Demo', architecture: 'qwen3', layers: 4, context: 2048, parallel: 4, recommended: { temperature: 0.6, top_p: 0.95, top_k: 20, min_p: 0 } });
        if (path === '/numerics' && this.numerics) {
            const wanted = new URL(request.url, this.url).searchParams.get('id');
            if (wanted && wanted !== this.numerics.answer.id) return this.refuse(response, 404, 'id: this answer was not watched');
            return this.json(response, this.numerics);
        }
        if (path === '/v1/chat/completions' && request.method === 'POST') return this.chat(request, response);
        return this.refuse(response, 404, 'there is nothing at this path');
    }

    async chat(request, response) {
        let text = '';
        for await (const piece of request) text += piece;
        const body = JSON.parse(text);
        this.requests.push(body);
        const question = body.messages.at(-1).content;
        const script = this.answers[question.split(/\s/)[0]] ?? { text: `You said: ${question}` };
        const answer = typeof script === 'function' ? script(this.requests.length) : script;
        if (answer.status) return this.refuse(response, answer.status, answer.reason, answer.retry_after ? { 'Retry-After': String(answer.retry_after) } : {});
        return this.stream(response, answer, body.numerics);
    }

    async stream(response, { thoughts = '', text = '', gap = 0, breaks, finish = 'stop' }, watched) {
        const id = `chatcmpl-${this.requests.length}`;
        let gone = false;
        response.on('close', () => {
            if (!response.writableFinished) ++this.abandoned;
            gone = true;
        });
        const send = (data) => response.write(`data: ${data}\n\n`);
        const chunk = (delta, finish_reason = null, more = {}) => send(JSON.stringify({ id, object: 'chat.completion.chunk', model: 'Kylin Demo', choices: [{ index: 0, delta, finish_reason, ...more }] }));
        response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store' });
        chunk({ role: 'assistant', content: '' });
        const pieces = [...words(thoughts).map((word) => ({ reasoning_content: word })), ...words(text).map((word) => ({ content: word }))];
        for (const piece of pieces) {
            if (gone) return;
            if (gap) await sleep(gap);
            chunk(piece);
        }
        if (breaks === 'silently') {
            await sleep(100);  // what was written goes out first
            return response.destroy();
        }
        if (breaks) send(JSON.stringify({ error: { message: breaks, type: 'server_error' } }));
        else {
            chunk({}, finish, { timings: { answer_tokens_per_second: 31.25 }, ...(watched && { watched }) });
            send(JSON.stringify({ id, object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 15, completion_tokens: pieces.length + 1, total_tokens: 16 + pieces.length, prompt_tokens_details: { cached_tokens: 8 } } }));
            send('[DONE]');
        }
        response.end();
    }
}
