// A map of the forward pass: layers down, stages across, one button for each cell. Arrow keys walk it.
import { useRef } from 'preact/hooks';
import { key, power } from './format.js';

// look: what the cell shows, { class, style, text, words, around }: `words` say it all, `around` is the class of the cell's frame.
function Cell({ name, look, selected, select }) {
    return (
        <td class={look.around}>
            <button type="button" data-cell={name} class={look.class} style={look.style} title={look.words} aria-label={`${look.text} ${look.words}`.trim()}
                aria-current={name === selected ? 'true' : undefined} tabIndex={name === selected ? 0 : -1}
                onClick={() => select(name)}>{look.text}</button>
        </td>
    );
}

const Missing = ({ words }) => <td class="missing" title={words}><span class="unseen">{words}</span></td>;

// Arrow keys go to the next cell that exists; at the edge of the map they stay.
function step(event, box) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    const from = event.target.closest('td');
    if (!move || !from) return;
    event.preventDefault();
    const rows = [...box.querySelectorAll('tbody tr')];
    let row = rows.indexOf(from.parentElement);
    let column = from.cellIndex;
    for (;;) {
        column += move[0];
        row += move[1];
        const next = rows[row]?.cells[column];
        if (!next || next.tagName !== 'TD') return;
        const button = next.querySelector('button');
        if (button) {
            button.focus();
            button.click();
            return;
        }
    }
}

// Rows are given as [label, layer]; a layer of null makes the row of the stages that run once.
// look(stage, layer) gives a cell, or { missing: words } where there is none.
export function Grid({ caption, corner, stages, rows, look, selected, select }) {
    const box = useRef(null);
    return (
        <table class="map" ref={box} onKeyDown={(event) => step(event, box.current)}>
            <caption class="unseen">{caption}</caption>
            <thead><tr>{corner ? <th scope="col">{corner}</th> : <td />}{stages.map((stage) => <th key={stage.name} scope="col" title={stage.meaning}><span>{stage.name}</span></th>)}</tr></thead>
            <tbody>
                {rows.map(([label, layer]) => (
                    <tr key={label}>
                        <th scope="row">{label}</th>
                        {stages.map(({ name }) => {
                            const shown = look(name, layer);
                            return shown.missing ? <Missing key={name} words={shown.missing} /> : <Cell key={name} name={key(name, layer)} look={shown} selected={selected} select={select} />;
                        })}
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

// The stages of a model as the two tables of a map: those that run once, and those of each layer.
export function Grids({ stages, n_layer, ...rest }) {
    const per_layer = stages.filter((stage) => stage.per_layer);
    const once = stages.filter((stage) => !stage.per_layer);
    const layers = Array.from({ length: n_layer }, (_, layer) => [String(layer), layer]);
    return (
        <>
            {once.length > 0 && <Grid caption="Stages that run once" corner="" stages={once} rows={[['once', null]]} {...rest} />}
            {per_layer.length > 0 && <Grid caption="Stages of each layer" corner="layer" stages={per_layer} rows={layers} {...rest} />}
        </>
    );
}

// The choice of what a map shows.
export const Views = ({ names, chosen, choose }) => (
    <fieldset class="switch">
        <legend class="unseen">What the map shows</legend>
        {names.map((name) => (
            <label key={name}><input type="radio" name="view" value={name} checked={chosen === name} onChange={() => choose(name)} /><span>{name}</span></label>
        ))}
    </fieldset>
);

export function Scale({ scale }) {
    const { first, last, colors } = scale;
    const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return (
        <div class="scale" aria-hidden="true">
            <div class="ramp">{colors.map((style, i) => <i key={i} style={{ backgroundColor: style.backgroundColor }} />)}</div>
            <div class="ticks">{decades.map((d) => <span key={d} class={d % 2 === 0 || decades.length < 8 ? '' : 'minor'}>{d === first ? `≤${power(d)}` : d === last ? `≥${power(d)}` : power(d)}</span>)}</div>
        </div>
    );
}
