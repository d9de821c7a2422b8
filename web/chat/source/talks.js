// What a reader can do with conversations: ask, ask again, change the last question, stop.
import { answer, figures } from './run.js';
import { Speech } from './speech.js';

export const new_id = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

// The first line of the first question.
function title_of(text) {
    const line = text.trim().split('\n')[0].replace(/\s+/g, ' ');
    const letters = [...line];
    return letters.length <= 60 ? line : `${letters.slice(0, 59).join('')}…`;
}

// One frame's changes are one change. A hidden page has no frames, so there a timer takes their place.
function once_a_frame(call) {
    let waits = false;
    return () => {
        if (waits) return;
        waits = true;
        const go = () => {
            waits = false;
            call();
        };
        if (document.hidden) setTimeout(go, 100);
        else requestAnimationFrame(go);
    };
}

const closings = { done: 'Answer complete.', stopped: 'Stopped.' };

export class Talks {
    constructor(store, server, say) {
        this.store = store;
        this.server = server;
        this.say = say;
        this.running = new Map();  // conversation's id -> AbortController
        this.model = undefined;    // its name, once the server has told
    }

    is_running = (id) => this.running.has(id);

    // A conversation that begins with this question.
    begin(text, settings) {
        const now = Date.now();
        const conversation = { id: new_id(), title: title_of(text), named: false, created: now, updated: now, settings, messages: [] };
        this.store.put(conversation);
        this.ask(conversation.id, text);
        return conversation.id;
    }

    ask(id, text) {
        const { messages } = this.store.get(id);
        this.answer(id, [...messages, { role: 'user', content: text }]);
    }

    // Another answer to the last question.
    again(id) {
        const { messages } = this.store.get(id);
        this.answer(id, messages.slice(0, messages.findLastIndex((message) => message.role === 'user') + 1));
    }

    // The last question in other words.
    edit(id, text) {
        const { messages, named, title } = this.store.get(id);
        const before = messages.slice(0, messages.findLastIndex((message) => message.role === 'user'));
        this.store.change(id, { title: before.length === 0 && !named ? title_of(text) : title });
        this.answer(id, [...before, { role: 'user', content: text }]);
    }

    stop(id) {
        this.running.get(id)?.abort();
    }

    // Where a conversation is removed while it is answered, the answer is dropped.
    async answer(id, messages) {
        if (this.is_running(id)) return;
        const control = new AbortController();
        this.running.set(id, control);
        this.store.change(id, { messages, updated: Date.now() });
        let latest;
        const show = () => this.store.get(id) && this.store.change(id, { messages: [...messages, latest] });
        const show_soon = once_a_frame(() => this.is_running(id) && show());
        const speech = new Speech(this.say);
        this.say('Kylin answers.');
        await answer(this.server, this.store.get(id), {
            model: this.model,
            signal: control.signal,
            report: (message) => {
                latest = message;
                show_soon();
                speech.grown(message.content);
            },
        });
        this.running.delete(id);
        show();
        this.store.write();
        const { n_tokens } = figures(latest);
        speech.finished(latest.content, latest.state === 'failed' ? `No answer: ${latest.error.reason}` : `${closings[latest.state]} ${n_tokens} tokens.`);
    }

    remove(id) {
        this.stop(id);
        this.store.remove(id);
    }
}
