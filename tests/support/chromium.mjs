// Drives a headless Chromium over its debugging pipe (file descriptors 3 and 4, JSON messages that end in NUL).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// What the keys that do something by themselves need beside their names.
const key_codes = { Tab: 9, Enter: 13, Escape: 27, ' ': 32, PageUp: 33, PageDown: 34, End: 35, Home: 36, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40 };
const key_texts = { Enter: '\r', ' ': ' ' };

export class Chromium {
    constructor(program) {
        this.profile = mkdtempSync(join(tmpdir(), 'kylin-chromium-'));
        const root = process.getuid() === 0 ? ['--no-sandbox'] : [];  // Chromium refuses its sandbox to root
        this.process = spawn(program, ['--headless=new', ...root, '--remote-debugging-pipe', `--user-data-dir=${this.profile}`, '--no-first-run', '--disable-gpu', '--disable-dev-shm-usage',
            '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--force-color-profile=srgb', 'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
        this.next_id = 0;
        this.waiting = new Map();
        this.listeners = [];
        this.process.on('error', (error) => this.fail(error));
        this.process.on('exit', (code) => this.fail(new Error(`Chromium ended with status ${code}`)));
        this.process.stdio[3].on('error', () => {});
        let rest = '';
        this.process.stdio[4].setEncoding('utf8').on('data', (data) => {
            const messages = (rest + data).split('\0');
            rest = messages.pop();
            messages.forEach((message) => this.receive(JSON.parse(message)));
        });
    }

    fail(error) {
        for (const { reject } of this.waiting.values()) reject(error);
        this.waiting.clear();
        this.failure = error;
    }

    receive(message) {
        const call = this.waiting.get(message.id);
        if (!call) return this.listeners.forEach((listen) => listen(message));
        this.waiting.delete(message.id);
        if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
        else call.resolve(message.result);
    }

    send(method, params = {}, sessionId = undefined) {
        if (this.failure) return Promise.reject(this.failure);
        return new Promise((resolve, reject) => {
            const id = ++this.next_id;
            this.waiting.set(id, { resolve, reject, method });
            this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
        });
    }

    // A page of that size and colour scheme. Its `problems` are console messages, exceptions and every request but the page itself and
    // what `allows(url)` lets pass.
    async open(url, { width, height, scheme, allows = () => false, features = [] }) {
        const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
        const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
        const page = { problems: [], send: (method, params) => this.send(method, params, sessionId), close: () => this.send('Target.closeTarget', { targetId }) };
        let loaded;
        const load = new Promise((resolve) => { loaded = resolve; });
        this.listeners.push((event) => {
            if (event.sessionId !== sessionId) return;
            const { method, params } = event;
            if (method === 'Page.loadEventFired') loaded();
            else if (method === 'Runtime.consoleAPICalled') page.problems.push(`console ${params.type}: ${params.args.map((a) => a.value ?? a.description).join(' ')}`);
            else if (method === 'Runtime.exceptionThrown') page.problems.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
            else if (method === 'Log.entryAdded') page.problems.push(`log ${params.entry.level}: ${params.entry.text}`);
            else if (method === 'Network.requestWillBeSent' && params.request.url !== url && !params.request.url.startsWith('data:') && !allows(params.request.url)) page.problems.push(`request: ${params.request.url}`);
        });
        for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.send(`${domain}.enable`);
        await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
        await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }, ...features] });
        await page.send('Page.navigate', { url });
        await load;
        page.evaluate = async (expression) => {
            const { result, exceptionDetails } = await page.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
            if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
            return result.value;
        };
        page.key = async (key, { shift = false } = {}) => {
            const event = { key, code: key === ' ' ? 'Space' : key, modifiers: shift ? 8 : 0, windowsVirtualKeyCode: key_codes[key], text: key_texts[key] };
            await page.send('Input.dispatchKeyEvent', { type: event.text ? 'keyDown' : 'rawKeyDown', ...event });
            await page.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event, text: undefined });
        };
        page.type = (text) => page.send('Input.insertText', { text });
        // The whole page, or its first `rows` pixels.
        page.screenshot = async (rows = undefined) => {
            const { cssContentSize: size } = await page.send('Page.getLayoutMetrics');
            const clip = { x: 0, y: 0, width, height: rows ?? size.height, scale: 1 };
            return Buffer.from((await page.send('Page.captureScreenshot', { format: 'png', clip, captureBeyondViewport: true })).data, 'base64');
        };
        return page;
    }

    async close() {
        const ended = new Promise((resolve) => this.process.once('exit', resolve));
        this.send('Browser.close').catch(() => {});
        const late = setTimeout(() => this.process.kill('SIGKILL'), 5000);
        await ended;
        clearTimeout(late);
        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    }
}
