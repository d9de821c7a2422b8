// The modal dialogs: settings of a conversation, and the server's API key.
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { fields, read } from './settings.js';

// Escape and a click beside it close it; the focus goes back to where it was.
function Dialog({ title, close, children }) {
    const box = useRef(null);
    useLayoutEffect(() => box.current.showModal(), []);
    return (
        <dialog ref={box} aria-labelledby="dialog-title" onClose={close} onClick={(event) => event.target === box.current && box.current.close()}>
            <div class="dialog">
                <h2 id="dialog-title">{title}</h2>
                {children(() => box.current.close())}
            </div>
        </dialog>
    );
}

function NumberField({ field, value, recommended, set }) {
    const id = useId();
    const [text, write] = useState(value === undefined ? '' : String(value));
    const wrong = read(field, text) === null;
    useEffect(() => {
        if (read(field, text) !== value) write(value === undefined ? '' : String(value));
    }, [value]);
    const on_input = (event) => {
        write(event.currentTarget.value);
        const next = read(field, event.currentTarget.value);
        if (next !== null) set(field.name, next);
    };
    const range = `${field.low} to ${field.high.toLocaleString('en')}${field.step < 1 ? '' : ', a whole number'}`;
    return (
        <div class="setting">
            <label for={id}>{field.label}</label>
            <input id={id} name={field.name} type="text" inputMode={field.step < 1 ? 'decimal' : 'numeric'} autocomplete="off" value={text} placeholder={field.empty ?? (recommended === undefined ? 'the model\'s' : String(recommended))}
                aria-describedby={`${id}-hint`} aria-invalid={wrong} onInput={on_input} />
            <p id={`${id}-hint`} class={wrong ? 'wrong' : ''}>{wrong ? `Must be ${range}. Not used.` : field.meaning}</p>
        </div>
    );
}

const switches = [
    { name: 'thinking', label: 'Thinking', choices: [['as the model has it', undefined], ['on', true], ['off', false]] },
    { name: 'numerics', label: 'Watch the numerics', choices: [['as the server has it', undefined], ['yes', true], ['no', false]], meaning: 'The values of every stage of every layer, for the page of numerics. It costs time, most of all on long prompts.' },
];

function Switch({ field: { name, label, choices, meaning }, value, set }) {
    const id = useId();
    return (
        <fieldset class="setting wide" aria-describedby={meaning && id}>
            <legend>{label}</legend>
            <div class="switch">
                {choices.map(([words, choice]) => (
                    <label key={words}><input type="radio" name={name} checked={value === choice} onChange={() => set(name, choice)} /><span>{words}</span></label>
                ))}
            </div>
            {meaning && <p id={id}>{meaning}</p>}
        </fieldset>
    );
}

export function Settings({ settings, recommended, change, close }) {
    const [resets, set_resets] = useState(0);
    const set = (name, value) => {
        const { [name]: before, ...rest } = settings;
        change(value === undefined ? rest : { ...rest, [name]: value });
    };
    return (
        <Dialog title="Settings of this conversation" close={close}>
            {(done) => (
                <>
                    <div class="settings" key={resets}>
                        <div class="setting wide">
                            <label for="system">System prompt</label>
                            <textarea id="system" rows="3" dir="auto" value={settings.system ?? ''} placeholder="None: the model's own, if it has one"
                                onInput={(event) => set('system', event.currentTarget.value || undefined)} />
                        </div>
                        {switches.map((field) => <Switch key={field.name} field={field} value={settings[field.name]} set={set} />)}
                        {fields.map((field) => <NumberField key={field.name} field={field} value={settings[field.name]} recommended={recommended?.[field.name]} set={set} />)}
                    </div>
                    <p class="hint">What is empty is as the model's file recommends. New conversations begin with these settings.</p>
                    <div class="foot">
                        <button type="button" onClick={() => { change({}); set_resets(resets + 1); }}>Reset</button>
                        <button type="button" class="main" onClick={done}>Done</button>
                    </div>
                </>
            )}
        </Dialog>
    );
}

export function KeyDialog({ wrong, answer }) {
    const input = useRef(null);
    const given = useRef(undefined);
    return (
        <Dialog title="API key" close={() => answer(given.current)}>
            {(done) => (
                <form onSubmit={(event) => { event.preventDefault(); given.current = input.current.value.trim() || undefined; done(); }}>
                    {wrong && <p class="wrong" role="alert">The server does not take this key.</p>}
                    <p class="hint">This server answers to those who have its key. It is kept until this tab is closed.</p>
                    <div class="setting wide">
                        <label for="key">Key</label>
                        <input ref={input} id="key" type="password" autocomplete="off" spellcheck={false} autofocus />
                    </div>
                    <div class="foot"><button type="button" onClick={done}>Cancel</button><button type="submit" class="main">Use this key</button></div>
                </form>
            )}
        </Dialog>
    );
}

// ask_key() opens the dialog, and keeps its promise when it closes. One dialog serves all who ask at the same time.
export function use_key_dialog() {
    const [open, set_open] = useState(undefined);
    const waiting = useRef(undefined);
    const ask_key = useRef((wrong) => {
        waiting.current ??= {};
        waiting.current.promise ??= new Promise((resolve) => { waiting.current.resolve = resolve; });
        set_open({ wrong });
        return waiting.current.promise;
    }).current;
    const answer = (key) => {
        set_open(undefined);
        waiting.current?.resolve(key);
        waiting.current = undefined;
    };
    return { ask_key, dialog: open && <KeyDialog wrong={open.wrong} answer={answer} /> };
}
