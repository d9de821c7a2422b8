// Asks the server that this page came from. Addresses are relative, so a proxy may put the server under a path of its own.
const key_name = 'kylin.key';

// The server's answer is an error; `message` is its reason.
export class Refused extends Error {
    constructor(status, message, retry_after) {
        super(message);
        this.status = status;
        this.retry_after = retry_after;  // seconds, where the server says so
    }
}

async function refusal(response) {
    const text = await response.text();
    let reason = text.slice(0, 500);
    try {
        reason = JSON.parse(text).error.message;
    } catch {
        // Not from Kylin: a proxy's own page, say.
    }
    const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
    return new Refused(response.status, reason || response.statusText || `status ${response.status}`, Number.isNaN(seconds) ? undefined : seconds);
}

export class Server {
    // ask_key(wrong): a promise of the API key, or of undefined where the reader has none. The key stays in this tab's session.
    constructor(ask_key, keys = sessionStorage) {
        this.ask_key = ask_key;
        this.keys = keys;
    }

    // The response; throws Refused, or the TypeError of fetch where nobody answers.
    async ask(path, { body, signal } = {}) {
        for (;;) {
            const key = this.keys.getItem(key_name);
            const headers = { Accept: body?.stream ? 'text/event-stream' : 'application/json', ...(body && { 'Content-Type': 'application/json' }), ...(key && { Authorization: `Bearer ${key}` }) };
            const response = await fetch(path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), signal, cache: 'no-store' });
            if (response.ok) return response;
            const error = await refusal(response);
            if (error.status !== 401) throw error;
            // Another request may have brought the key in the meantime.
            if (this.keys.getItem(key_name) === key) {
                const given = await this.ask_key(key !== null);
                if (!given) throw error;
                this.keys.setItem(key_name, given);
            }
        }
    }

    json = async (path) => (await this.ask(path)).json();
}
