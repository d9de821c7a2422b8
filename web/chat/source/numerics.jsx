// The numerics of the last answer and the audit, from GET /numerics: docs/web-page.md has its grammar.
import { render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { count, key } from '../../shared/format.js';
import { kept, storage } from '../../shared/kept.js';
import { Theme } from '../../shared/theme.jsx';
import { ActivationMap, Inspector } from './activation_map.jsx';
import { Audit } from './audit.jsx';
import { use_key_dialog } from './dialogs.jsx';
import { Server } from './server.js';
import { Store } from './store.js';

const local = storage('localStorage');

// The question that the answer belongs to, where it was asked in this browser.
function question_of(id) {
    for (const { messages } of new Store(local).list()) {
        const at = messages.findIndex((message) => message.id === id);
        if (at > 0) return messages[at - 1].content;
    }
    return undefined;
}

// The map's cells by name: { stage, layer, largest, nan, inf }; largest is null where nothing was finite.
function cells_of({ stages, answer }) {
    const cells = new Map();
    for (const { name, per_layer } of stages) {
        (answer?.largest[name] ?? []).forEach((largest, i) => {
            const layer = per_layer ? i : null;
            cells.set(key(name, layer), { stage: name, layer, largest, nan: 0, inf: 0 });
        });
    }
    for (const { stage, layer, nan, inf } of answer?.not_finite ?? []) Object.assign(cells.get(key(stage, layer)) ?? {}, { nan, inf });
    return cells;
}

// Shown first: what is not finite, else the largest value.
function first_cell(cells) {
    let best;
    for (const [name, cell] of cells) {
        if (cell.nan + cell.inf > 0) return name;
        if (!best || cell.largest > best.largest) best = { ...cell, name };
    }
    return best?.name;
}

function Asked({ model, answer }) {
    const question = question_of(answer.id);
    return (
        <div class="asked">
            <span>{model.name}, answer <code>{answer.id}</code>: {count(answer.prompt_tokens, 'prompt token')}, {count(answer.answer_tokens, 'answer token')}</span>
            {answer.cached_tokens > 0 && <span>Of the prompt, {count(answer.cached_tokens, 'token')} stood in the KV cache already and did not run again: their values are not in these figures.</span>}
            {question && <b dir="auto">{question.length > 200 ? `${question.slice(0, 200)}…` : question}</b>}
        </div>
    );
}

function Numerics({ numerics }) {
    const { answer } = numerics;
    const cells = useMemo(() => cells_of(numerics), [numerics]);
    const [chosen, select] = useState(undefined);
    const selected = cells.has(chosen) ? chosen : first_cell(cells);
    return (
        <main>
            {answer ? <ActivationMap numerics={numerics} cells={cells} selected={selected} select={select} />
                : <section class="heat"><p class="empty">No answer has been watched since the server started. Ask something in the <a href="./">chat</a>, with <i>Watch the numerics</i> in its settings. <code>kylin serve --watch</code> watches all answers.</p></section>}
            {answer && <Inspector stages={numerics.stages} cell={cells.get(selected)} />}
            <div class="rest"><Audit audit={numerics.audit} has={(name) => cells.has(name)} select={select} /></div>
        </main>
    );
}

const wanted = new URLSearchParams(location.search).get('id');  // null: the last one

function problem_of(error) {
    if (!error.status) return 'The server does not answer.';
    return error.status === 404 && !wanted ? 'This server does not watch its numerics.' : error.message;
}

function use_numerics(server) {
    const [state, set] = useState({});
    const [asked, ask] = useState(0);
    const again = () => ask((n) => n + 1);
    useEffect(() => {
        server.json(wanted ? `numerics?id=${encodeURIComponent(wanted)}` : 'numerics').then((numerics) => {
            const known = numerics.format === 'kylin.numerics/1';
            set(known ? { numerics, at: new Date() } : { problem: `The server's format is ${numerics.format}; this page shows kylin.numerics/1.` });
        }, (error) => set({ problem: problem_of(error) }));
    }, [asked]);
    useEffect(() => {
        const on_show = () => !document.hidden && again();
        document.addEventListener('visibilitychange', on_show);
        return () => document.removeEventListener('visibilitychange', on_show);
    }, []);
    return { ...state, again };
}

function Page() {
    const { ask_key, dialog } = use_key_dialog();
    const server = useMemo(() => new Server(ask_key, storage('sessionStorage')), []);
    const { numerics, problem, at, again } = use_numerics(server);
    return (
        <>
            <header>
                <div class="top"><a href="./">← Chat</a><span role="status">{at && `as of ${at.toLocaleTimeString()}`}</span><button type="button" onClick={again}>Refresh</button><Theme kept={kept(local, 'kylin.theme')} /></div>
                <h1>Numerics of {wanted ? 'an answer' : 'the last answer'}</h1>
                <p class="intro hint">While it answers, Kylin watches the values of every stage of every layer. Large values are normal in healthy models; what matters is whether they stay far from the largest number that F16 holds, 65504, and whether any is not a number.</p>
                {problem && <p class="asked wrong" role="alert">{problem}</p>}
                {numerics?.answer && <Asked {...numerics} />}
            </header>
            {numerics && <Numerics key={numerics.answer?.id} numerics={numerics} />}
            {dialog}
        </>
    );
}

render(<Page />, document.getElementById('page'));
