// The conversations of this browser.
import { useEffect, useRef } from 'preact/hooks';
import { kept } from '../../shared/kept.js';
import { Theme } from '../../shared/theme.jsx';

const day = 24 * 3600 * 1000;
const groups = [['Today', 0], ['Yesterday', 1], ['Last 7 days', 7], ['Older', Infinity]];

// Conversations by the day of their last change.
function by_day(conversations) {
    const midnight = new Date().setHours(0, 0, 0, 0);
    const age = ({ updated }) => (updated >= midnight ? 0 : Math.ceil((midnight - updated) / day));
    let rest = conversations;
    return groups.map(([name, limit]) => {
        const inside = rest.filter((conversation) => age(conversation) <= limit);
        rest = rest.filter((conversation) => age(conversation) > limit);
        return [name, inside];
    }).filter(([, inside]) => inside.length > 0);
}

const Item = ({ conversation, current, running }) => (
    <li><a href={`#${conversation.id}`} dir="auto" title={conversation.title} aria-current={current ? 'page' : undefined}>{conversation.title}{running && <span class="dot"><span class="unseen"> (answering)</span></span>}</a></li>
);

export function Sidebar({ conversations, current, is_running, open, close, deleted, problem, storage }) {
    const box = useRef(null);
    useEffect(() => {
        if (open) box.current.querySelector('a').focus();
    }, [open]);
    return (
        <nav class={`sidebar ${open ? 'open' : ''}`} id="sidebar" aria-label="Conversations" ref={box}
            onKeyDown={(event) => { if (open && event.key === 'Escape') { event.stopPropagation(); close(); } }}
            onClick={(event) => event.target.closest('a') && close()}>
            <div class="brand"><span>Kylin</span><a class="button" href="#">New chat</a></div>
            <div class="list">
                {conversations.length === 0 && <p class="hint">Your conversations will stand here. They stay in this browser.</p>}
                {by_day(conversations).map(([name, inside]) => (
                    <section key={name} aria-label={name}>
                        <h2>{name}</h2>
                        <ul>{inside.map((conversation) => <Item key={conversation.id} conversation={conversation} current={conversation.id === current} running={is_running(conversation.id)} />)}</ul>
                    </section>
                ))}
            </div>
            <div role="status">
                {deleted && <p class="deleted"><span>Deleted <b dir="auto">{deleted.title}</b></span> <button type="button" onClick={deleted.undo}>Undo</button></p>}
                {problem && <p class="deleted">{problem}</p>}
            </div>
            <div class="bottom">
                <a href="numerics">Numerics</a>
                <Theme kept={kept(storage, 'kylin.theme')} />
            </div>
        </nav>
    );
}
