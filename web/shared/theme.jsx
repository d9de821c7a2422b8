// The switch between the reader's own colours, light and dark.
import { useState } from 'preact/hooks';

const themes = ['auto', 'light', 'dark'];

function show(theme) {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
}

// kept: { get, set } where the choice outlives the page.
export function Theme({ kept }) {
    const [theme, set] = useState(() => {
        const before = themes.find((name) => name === kept?.get()) ?? 'auto';
        show(before);
        return before;
    });
    const choose = (next) => {
        set(next);
        show(next);
        kept?.set(next);
    };
    return (
        <fieldset class="switch theme">
            <legend class="unseen">Colours</legend>
            {themes.map((name) => (
                <label key={name}><input type="radio" name="theme" value={name} checked={theme === name} onChange={() => choose(name)} /><span>{name}</span></label>
            ))}
        </fieldset>
    );
}
