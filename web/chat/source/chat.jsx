// The chat: puts the parts together. The address after # names the conversation.
import { render } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { kept, storage } from '../../shared/kept.js';
import { make_announcer } from './announcer.jsx';
import { Composer } from './composer.jsx';
import { Settings, use_key_dialog } from './dialogs.jsx';
import { Header } from './header.jsx';
import { Messages } from './messages.jsx';
import { figures } from './run.js';
import { Server } from './server.js';
import { Sidebar } from './sidebar.jsx';
import { Store } from './store.js';
import { Talks } from './talks.js';

const local = storage('localStorage');
const store = new Store(local);
const last_settings = kept(local, 'kylin.settings');
const { say, Announcer } = make_announcer();
const retry_after = 5000;  // milliseconds between two looks for a server that does not answer

// The settings that a new conversation begins with.
function settings_of_last() {
    try {
        return JSON.parse(last_settings.get()) ?? {};
    } catch {
        return {};
    }
}

function use_store() {
    const [, redraw] = useReducer((n) => n + 1, 0);
    useEffect(() => {
        store.listeners.add(redraw);
        const on_storage = (event) => event.storageArea === local && store.on_storage(event);
        const on_hide = () => store.write();
        addEventListener('storage', on_storage);
        addEventListener('pagehide', on_hide);
        document.addEventListener('visibilitychange', on_hide);
        return () => {
            store.listeners.delete(redraw);
            removeEventListener('storage', on_storage);
            removeEventListener('pagehide', on_hide);
            document.removeEventListener('visibilitychange', on_hide);
        };
    }, []);
}

// What the server tells of itself: { name, info }, or { problem }. It is asked until it answers.
function use_model(server) {
    const [model, set] = useState({});
    useEffect(() => {
        let timer;
        const look = async () => {
            try {
                await server.ask('health');
                const [{ data }, info] = [await server.json('v1/models'), await server.json('model/info')];
                set({ name: data[0].id, info });
            } catch (error) {
                set({ problem: error.status ? error.message : 'The server does not answer.' });
                if (error.status !== 401) timer = setTimeout(look, retry_after);
            }
        };
        look();
        return () => clearTimeout(timer);
    }, []);
    return model;
}

function use_current() {
    const [id, set] = useState(() => location.hash.slice(1));
    useEffect(() => {
        const on_change = () => set(location.hash.slice(1));
        addEventListener('hashchange', on_change);
        return () => removeEventListener('hashchange', on_change);
    }, []);
    return id;
}

// Model, and how full its context is.
function status_of(model, conversation) {
    if (model.problem) return <span class="wrong" role="status">{model.problem}</span>;
    if (!model.name) return '…';
    const { n_prompt, n_tokens } = figures(conversation?.messages.findLast((message) => message.usage) ?? {});
    const context = model.info.context.toLocaleString('en');
    return `${model.name} · ${n_prompt ? `${(n_prompt + n_tokens).toLocaleString('en')} of ` : 'context '}${context} tokens${n_prompt ? ' used' : ''}`;
}

const Welcome = ({ model }) => (
    <div class="welcome">
        <p class="greeting">What would you like to know?</p>
        <p>{model.name ? <><b>{model.name}</b> answers, from this server alone.</> : 'The model answers from this server alone.'} Conversations stay in this browser.</p>
    </div>
);

// Escape stops, unless something is open that it closes.
function use_escape(stop) {
    useEffect(() => {
        const on_key = (event) => {
            if (event.key === 'Escape' && !event.isComposing && !document.querySelector('dialog[open], :popover-open')) stop();
        };
        document.addEventListener('keydown', on_key);
        return () => document.removeEventListener('keydown', on_key);
    }, [stop]);
}

function App() {
    use_store();
    const { ask_key, dialog } = use_key_dialog();
    const server = useMemo(() => new Server(ask_key, storage('sessionStorage')), []);
    const talks = useMemo(() => new Talks(store, server, say), []);
    const model = use_model(server);
    talks.model = model.name;
    const wanted = use_current();
    const conversation = store.get(wanted);
    const id = conversation?.id;
    const [draft, set_draft] = useState(settings_of_last);
    const [panel, set_panel] = useState('');  // 'sidebar' or 'settings'
    const [deleted, set_deleted] = useState(undefined);
    const sidebar_button = useRef(null);
    const field = useRef(null);
    const running = talks.is_running(id);
    const settings = conversation?.settings ?? draft;

    useEffect(() => { document.title = conversation ? `${conversation.title} · Kylin` : 'Kylin'; }, [conversation?.title]);
    // Not under a finger: there the focus would open the keyboard over half of the conversation.
    useLayoutEffect(() => {
        if (!matchMedia('(pointer: coarse)').matches) field.current.focus();
    }, [id]);
    const stop = useCallback(() => id && talks.stop(id), [id]);
    use_escape(stop);
    const actions = useMemo(() => ({ edit: (text) => { talks.edit(id, text); field.current.focus(); }, again: () => { talks.again(id); field.current.focus(); } }), [id]);

    const send = (text) => {
        if (id) talks.ask(id, text);
        else location.hash = talks.begin(text, settings);
    };
    const change_settings = (next) => {
        last_settings.set(JSON.stringify(next));
        set_draft(next);
        if (id) store.change(id, { settings: next });
    };
    const remove = () => {
        talks.remove(id);
        location.hash = '';
        set_deleted({ title: conversation.title, undo: () => { store.put(conversation); set_deleted(undefined); location.hash = conversation.id; } });
        say(`Deleted ${conversation.title}. The button Undo stands below the conversations.`);
    };
    // Behind the open sidebar the rest is inert: only when that has ended can the focus go back.
    useLayoutEffect(() => {
        if (panel !== 'sidebar') return undefined;
        return () => sidebar_button.current.focus();
    }, [panel]);
    const close_sidebar = () => panel === 'sidebar' && set_panel('');
    return (
        <div class="page">
            <button type="button" class="skip" onClick={() => field.current.focus()}>Go to the message field</button>
            <Sidebar conversations={store.list()} current={id} is_running={talks.is_running} open={panel === 'sidebar'} close={close_sidebar}
                deleted={deleted} problem={store.problem} storage={local} />
            {panel === 'sidebar' && <div class="veil" onClick={close_sidebar} />}
            <main inert={panel === 'sidebar'}>
                <Header conversation={conversation} status={status_of(model, conversation)} n_set={Object.keys(settings).length} sidebar_button={sidebar_button} sidebar_open={panel === 'sidebar'}
                    open_sidebar={() => set_panel('sidebar')} open_settings={() => set_panel('settings')} change={(changes) => store.change(id, changes)} remove={remove} />
                <Messages conversation={conversation} running={running} actions={actions}><Welcome model={model} /></Messages>
                <Composer field={field} subject={id} running={running} send={send} stop={stop} />
            </main>
            {panel === 'settings' && <Settings settings={settings} recommended={model.info?.recommended} change={change_settings} close={() => set_panel('')} />}
            {dialog}
            <Announcer />
        </div>
    );
}

render(<App />, document.getElementById('page'));
