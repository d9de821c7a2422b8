// The messages of a conversation.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Copy } from '../../shared/copy.jsx';
import { count } from '../../shared/format.js';
import { use_follow } from './follow.js';
import { Markdown } from './markdown/markdown.jsx';
import { figures } from './run.js';

const seconds = (s) => (s < 1 ? `${Math.round(1000 * s)} ms` : `${s < 10 ? s.toFixed(1) : Math.round(s)} s`);

const rate = (x) => x.toLocaleString('en', { maximumFractionDigits: x < 100 ? 1 : 0 });

// Drawn when opened: thoughts are long, and most are never read.
function Thoughts({ message }) {
    const [open, set_open] = useState(false);
    const thinking = message.state === 'running' && message.content === '';
    return (
        <details class="thoughts" onToggle={(event) => set_open(event.currentTarget.open)}>
            <summary>{thinking ? 'Thinking…' : message.thought < 1000 ? 'Thought for a moment' : `Thought for ${seconds(message.thought / 1000)}`}</summary>
            {open && <Markdown text={message.reasoning.trim()} />}
        </details>
    );
}

// Seconds until then, counted down.
function Until({ time }) {
    const left = () => Math.max(0, Math.ceil((time - Date.now()) / 1000));
    const [shown, show] = useState(left);
    useEffect(() => {
        const timer = setInterval(() => show(left()), 250);
        return () => clearInterval(timer);
    }, [time]);
    return <>{shown} s</>;
}

function Waiting({ message }) {
    if (message.waits_until) return <p class="waiting">The server is full: {message.error.reason}. Asking again in <Until time={message.waits_until} /></p>;
    return message.first === undefined && <p class="waiting"><i class="pulse" aria-hidden="true" />Reading the conversation…</p>;
}

function Figures({ message }) {
    const f = figures(message);
    if (f.first_seconds === undefined) return null;
    const parts = [
        `${f.exact ? '' : '≈ '}${count(f.n_tokens, 'token')}`,
        f.per_second && `${rate(f.per_second)} tokens/s`,
        `first after ${seconds(f.first_seconds)}`,
        f.n_prompt && `prompt ${f.n_prompt.toLocaleString('en')}${f.n_cached ? ` (${f.n_cached.toLocaleString('en')} cached)` : ''}`,
    ];
    return <span class="figures" title="Counts and speed are the server's; the time to the first token is as this browser saw it">{parts.filter(Boolean).join(' · ')}</span>;
}

const endings = {
    length: 'The answer was cut: it reached the longest answer allowed, or the end of the context.',
};

function Ending({ message, again }) {
    if (message.state === 'failed') {
        return (
            <div class="problem">
                <p><b>{message.content ? 'The answer broke off.' : 'No answer.'}</b> <span dir="auto">{message.error.reason}</span></p>
                {again && <button type="button" onClick={again}>Try again</button>}
            </div>
        );
    }
    const note = message.state === 'stopped' ? 'Stopped.' : message.state === 'done' ? endings[message.finish] ?? (message.content === '' && 'The answer has no words.') : '';
    return note && <p class="note">{note}</p>;
}

// Where an answer broke off, nobody said whether it was watched: it was where we asked for it.
const is_watched = ({ id, watched, sent }) => id && (watched || sent?.numerics);

// `again`: only for the last answer.
function Answer({ message, again }) {
    const body = useRef(null);
    const running = message.state === 'running';
    return (
        <li class="message answer" aria-busy={running}>
            <h2 class="unseen">Kylin</h2>
            {message.reasoning.trim() && <Thoughts message={message} />}
            <div ref={body}><Markdown text={message.content} /></div>
            {running && <Waiting message={message} />}
            <Ending message={message} again={again} />
            <div class="foot">
                <Figures message={message} />
                {!running && message.content && <Copy text={() => message.content} shown={() => body.current} class="quiet">Copy</Copy>}
                {!running && is_watched(message) && <a href={`numerics?id=${message.id}`}>Numerics<span class="unseen"> of this answer</span></a>}
                {!running && again && message.state !== 'failed' && <button type="button" class="quiet" onClick={again}>Regenerate</button>}
            </div>
        </li>
    );
}

function Editor({ text, done, cancel }) {
    const field = useRef(null);
    useLayoutEffect(() => {
        field.current.focus();
        field.current.selectionStart = text.length;
        field.current.parentElement.scrollIntoView({ block: 'nearest' });
    }, []);
    const save = () => field.current.value.trim() && done(field.current.value.trim());
    const on_key = (event) => {
        if (event.isComposing) return;
        if (event.key === 'Escape') {
            event.stopPropagation();
            cancel();
        } else if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault();
            save();
        }
    };
    return (
        <div class="editor">
            <textarea ref={field} aria-label="Your question" dir="auto" rows="3" defaultValue={text} onKeyDown={on_key} />
            <div class="foot"><button type="button" class="main" onClick={save}>Ask again</button><button type="button" onClick={cancel}>Cancel</button></div>
        </div>
    );
}

// `edit`: only for the last question, while nothing runs.
function Question({ message, edit }) {
    const [editing, set_editing] = useState(false);
    const button = useRef(null);
    const cancelled = useRef(false);
    const cancel = () => {
        cancelled.current = true;
        set_editing(false);
    };
    useLayoutEffect(() => {
        if (cancelled.current) button.current.focus();
        cancelled.current = false;
    }, [editing]);
    return (
        <li class="message question">
            <h2 class="unseen">You</h2>
            {editing && edit ? <Editor text={message.content} done={(text) => { set_editing(false); edit(text); }} cancel={cancel} /> : <p dir="auto">{message.content}</p>}
            {edit && !editing && <div class="foot"><button type="button" class="quiet" ref={button} onClick={() => set_editing(true)}>Edit</button></div>}
        </li>
    );
}

// A message that has not changed is not drawn again while the last one grows.
function Message({ message, action }) {
    return useMemo(() => (message.role === 'user' ? <Question message={message} edit={action} /> : <Answer message={message} again={action} />), [message, action]);
}

export function Messages({ conversation, running, actions, children }) {
    const messages = conversation?.messages ?? [];
    const { box, away, to_end } = use_follow(`${conversation?.id} ${messages.length}`);
    const last_question = messages.findLastIndex((message) => message.role === 'user');
    const action = (message, i) => {
        if (running) return undefined;
        if (i === last_question) return actions.edit;
        return i === messages.length - 1 ? actions.again : undefined;
    };
    return (
        <div class="scroller">
            <section class="messages" ref={box} tabIndex={0} aria-label="Messages">
                {messages.length === 0 ? children : <ol>{messages.map((message, i) => <Message key={i} message={message} action={action(message, i)} />)}</ol>}
            </section>
            {away && <button type="button" class="to-end" onClick={to_end}>To the end</button>}
        </div>
    );
}
