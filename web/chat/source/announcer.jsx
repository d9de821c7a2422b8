// Says things to screen readers, one after the other, without taking the focus.
import { useEffect, useState } from 'preact/hooks';

const remembered = 6;  // announcements that stay in the page, long enough to be read out

export function make_announcer() {
    let listen = () => {};
    let n = 0;
    const say = (text) => listen({ text, key: ++n });
    function Announcer() {
        const [said, set] = useState([]);
        useEffect(() => {
            listen = (one) => set((before) => [...before.slice(1 - remembered), one]);
        }, []);
        return <div class="unseen" role="log" aria-live="polite" aria-label="Announcements">{said.map(({ text, key }) => <p key={key}>{text}</p>)}</div>;
    }
    return { say, Announcer };
}
