// A button that copies text() and says so. Where the clipboard is closed (a page that did not come over https or from this machine),
// it selects what `shown()` returns, which is then one key away.
import { useEffect, useState } from 'preact/hooks';

export function Copy({ text, shown, class: name, children = 'Copy' }) {
    const [said, say] = useState('');
    useEffect(() => {
        if (!said) return undefined;
        const timer = setTimeout(() => say(''), 4000);
        return () => clearTimeout(timer);
    }, [said]);
    const copy = async () => {
        try {
            await navigator.clipboard.writeText(text());
            say('copied');
        } catch {
            getSelection().selectAllChildren(shown());
            say('selected; copy it with the keyboard');
        }
    };
    return (
        <>
            <button type="button" class={name} onClick={copy}>{children}</button>
            <span role="status">{said}</span>
        </>
    );
}
