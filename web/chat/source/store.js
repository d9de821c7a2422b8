// The conversations of this browser: in memory, and in its local storage under a key each. A conversation is never changed in place.
//   { id, title, named, created, updated, settings, messages }
//   messages: { role: 'user', content } | { role: 'assistant', content, reasoning, state, … } (run.js)
const prefix = 'kylin.chat.';
const write_after = 1000;  // milliseconds: a streamed answer changes many times a second

function is_conversation(value) {
    return typeof value?.id === 'string' && typeof value.title === 'string' && typeof value.settings === 'object' && Array.isArray(value.messages)
        && value.messages.every((message) => typeof message?.content === 'string');
}

function read(text) {
    try {
        const value = JSON.parse(text);
        if (!is_conversation(value)) return undefined;
        // Whoever wrote it was closed in the middle of an answer.
        const messages = value.messages.map((message) => (message.state === 'running' ? { ...message, state: 'stopped' } : message));
        return { ...value, messages };
    } catch {
        return undefined;
    }
}

export class Store {
    constructor(storage) {
        this.storage = storage;
        this.conversations = new Map();
        this.unwritten = new Set();
        this.listeners = new Set();
        this.problem = undefined;  // why the history cannot be kept
        try {
            for (let i = 0; i < storage.length; ++i) this.load(storage.key(i), storage.getItem(storage.key(i)));
        } catch {
            this.problem = 'This browser keeps no history for this page.';
        }
    }

    load(key, text) {
        if (!key.startsWith(prefix)) return;
        const conversation = text && read(text);
        if (conversation) this.conversations.set(conversation.id, conversation);
        else if (text === null) this.conversations.delete(key.slice(prefix.length));
    }

    // What another tab wrote or removed; undefined stands for everything.
    on_storage({ key, newValue }) {
        if (key === null) this.conversations.clear();
        else if (!this.unwritten.has(key.slice(prefix.length))) this.load(key, newValue);
        this.tell();
    }

    get = (id) => this.conversations.get(id);
    list = () => [...this.conversations.values()].sort((a, b) => b.updated - a.updated);

    put(conversation) {
        this.conversations.set(conversation.id, conversation);
        this.unwritten.add(conversation.id);
        this.timer ??= setTimeout(() => this.write(), write_after);
        this.tell();
    }

    change = (id, changes) => this.put({ ...this.get(id), ...changes });

    remove(id) {
        this.conversations.delete(id);
        this.unwritten.add(id);
        this.write();
        this.tell();
    }

    // Writes what has changed. The page calls it too, before it is hidden.
    write() {
        clearTimeout(this.timer);
        this.timer = undefined;
        try {
            for (const id of this.unwritten) {
                const conversation = this.get(id);
                if (conversation) this.storage.setItem(prefix + id, JSON.stringify(conversation));
                else this.storage.removeItem(prefix + id);
                this.unwritten.delete(id);
            }
            this.problem = undefined;
        } catch {
            this.problem = 'The history is full: new messages are lost when this page closes. Export or delete conversations.';
            this.tell();
        }
    }

    tell() {
        for (const listen of this.listeners) listen();
    }
}
