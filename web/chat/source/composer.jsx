// Where the reader writes.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export function Composer({ field, subject, running, send, stop }) {
    const [text, set_text] = useState('');
    const drafts = useRef(new Map());  // what was begun in other conversations

    useLayoutEffect(() => {
        set_text(drafts.current.get(subject) ?? '');
        return () => drafts.current.delete(subject);
    }, [subject]);
    const write = (next) => {
        drafts.current.set(subject, next);
        set_text(next);
    };
    useLayoutEffect(() => {
        field.current.style.height = 'auto';
        field.current.style.height = `${field.current.scrollHeight + 2}px`;
    }, [text]);

    const submit = () => {
        if (running || text.trim() === '') return;
        write('');
        send(text.trim());
    };
    // Enter also ends the choice of a character of an input method; then it is not meant for us.
    const on_key = (event) => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
        event.preventDefault();
        submit();
    };
    return (
        <form class="composer" onSubmit={(event) => { event.preventDefault(); submit(); }}>
            <div class="field">
                <textarea ref={field} id="message" rows="1" dir="auto" aria-label="Message" aria-describedby="keys" placeholder="Write a message"
                    value={text} onInput={(event) => write(event.currentTarget.value)} onKeyDown={on_key} enterkeyhint="send" />
                {running ? <button key="stop" type="button" class="main" onClick={() => { stop(); field.current.focus(); }}>Stop</button>
                    : <button key="send" type="submit" class="main" disabled={text.trim() === ''}>Send</button>}
            </div>
            <p id="keys" class="keys"><kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> begins a line, <kbd>Esc</kbd> stops an answer</p>
        </form>
    );
}
