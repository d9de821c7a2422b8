// The top of a conversation: its name, the model, and what can be done with the whole of it.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

// `leave` takes the focus when a key ended it; a click elsewhere has taken it already.
function Rename({ title, done, leave }) {
    const input = useRef(null);
    const given = useRef(false);
    useLayoutEffect(() => {
        input.current.focus();
        input.current.select();
    }, []);
    const finish = (text) => {
        if (given.current) return;
        given.current = true;
        done(text);
    };
    const on_key = (event) => {
        if (event.isComposing) return;
        if (event.key !== 'Enter' && event.key !== 'Escape') return;
        event.stopPropagation();
        event.preventDefault();  // Enter would press the button that has the focus by then
        finish(event.key === 'Enter' ? input.current.value.trim() : '');
        leave();
    };
    return <input class="rename" ref={input} aria-label="Name of the conversation" dir="auto" maxLength={120} defaultValue={title} onKeyDown={on_key} onBlur={(event) => finish(event.currentTarget.value.trim())} />;
}

function download(conversation) {
    const url = URL.createObjectURL(new Blob([`${JSON.stringify({ format: 'kylin.chat/1', ...conversation }, null, 2)}\n`], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${conversation.title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60) || 'conversation'}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function Actions({ conversation, rename, remove }) {
    const menu = useRef(null);
    const button = useRef(null);
    const choose = (act) => () => {
        menu.current.hidePopover();
        act();
    };
    return (
        <>
            <button type="button" class="quiet" popovertarget="actions" ref={button}>Chat<span aria-hidden="true"> ▾</span></button>
            <div id="actions" popover="auto" ref={menu} aria-label="This conversation" role="group">
                <button type="button" onClick={choose(rename)}>Rename</button>
                <button type="button" onClick={choose(() => download(conversation))}>Export as JSON</button>
                <button type="button" onClick={choose(remove)}>Delete</button>
            </div>
        </>
    );
}

export function Header({ conversation, status, n_set, open_sidebar, sidebar_open, sidebar_button, open_settings, change, remove }) {
    const [renaming, set_renaming] = useState(false);
    const renamed = (title) => {
        set_renaming(false);
        if (title && title !== conversation.title) change({ title, named: true });
    };
    return (
        <header>
            <button type="button" class="quiet menu" ref={sidebar_button} aria-controls="sidebar" aria-expanded={sidebar_open} onClick={open_sidebar}><span class="unseen">Conversations</span><i aria-hidden="true" /></button>
            <div class="what">
                {renaming ? <Rename title={conversation.title} done={renamed} leave={() => document.querySelector('[popovertarget=actions]').focus()} /> : <h1 dir="auto">{conversation?.title ?? 'New chat'}</h1>}
                <p>{status}</p>
            </div>
            {conversation && <Actions conversation={conversation} rename={() => set_renaming(true)} remove={remove} />}
            <button type="button" class="quiet" aria-haspopup="dialog" onClick={open_settings}>Settings{n_set > 0 && <span class="n-set"><span class="unseen">, </span>{n_set}<span class="unseen"> set</span></span>}</button>
        </header>
    );
}
