// The map: layers down, stages across in the order of the pass, one cell for each pair.
import { useRef, useState } from 'preact/hooks';
import { bound_scale, error_scale } from './color.js';
import { count, key, number, place, power, short } from './format.js';
import { Term } from './terms.jsx';

const glyphs = { 'exact': '=', 'rounding': '≈', 'noise': '~', 'divergent': '×', 'not judged': '?' };

function larger_bound({ bound }) {
    if (!bound) return undefined;
    return bound.ours === null || bound.reference === null ? null : Math.max(bound.ours, bound.reference);
}

// What a view shows of a cell: its number (null: not finite, undefined: there is none), the scale, and the words for it.
const views = {
    'local': { value: (cell) => cell.local.worst_row, scale: error_scale, words: 'local relative error of the worst token' },
    'accumulated': { value: (cell) => cell.accumulated.worst_row, scale: error_scale, words: 'accumulated relative error of the worst token' },
    'bound ratio': { value: larger_bound, scale: bound_scale, words: 'largest observed error over its certified bound, of either engine' },
    'verdict': { words: 'verdict of the cell' },
};

// Class, colours and text of a cell in a view.
function face(cell, view) {
    if (!view.scale) return { class: `verdict-${cell.verdict.replace(' ', '-')}`, text: glyphs[cell.verdict], said: cell.verdict };
    const value = view.value(cell);
    if (value === undefined) return { class: 'none', text: '', said: 'no bound' };
    if (value === null) return { class: 'not-finite', text: 'NaN', said: 'not finite' };
    if (value === 0) return { class: 'zero', text: '0', said: '0' };
    return { class: '', style: view.scale.of(value), text: short(value), said: number(value) };
}

function Cell({ cell, view, state }) {
    const name = key(cell.stage, cell.layer);
    const look = face(cell, view);
    const words = `${place(cell.stage, cell.layer)}: ${view.words} ${look.said}${view.scale ? `; ${cell.verdict}` : ''}${name === state.first ? '; first divergence' : ''}`;
    return (
        <td class={`${cell.verdict === 'divergent' ? 'divergent' : ''} ${name === state.first ? 'first' : ''}`}>
            <button type="button" data-cell={name} class={look.class} style={look.style} title={words} aria-label={words}
                aria-current={name === state.selected ? 'true' : undefined} tabIndex={name === state.selected ? 0 : -1}
                onClick={() => state.select(name)}>{look.text}</button>
        </td>
    );
}

function Missing({ stage, layer, missing }) {
    const words = `${place(stage, layer)}: ${missing.has(key(stage, layer)) ? 'missing in the reference\'s trace' : 'not compared'}`;
    return <td class="missing" title={words}><span class="unseen">{words}</span></td>;
}

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

function Scale({ view }) {
    const { first, last, colors } = view.scale;
    const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return (
        <div class="scale" aria-hidden="true">
            <div class="ramp">{colors.map((style, i) => <i key={i} style={{ backgroundColor: style.backgroundColor }} />)}</div>
            <div class="ticks">{decades.map((d) => <span key={d} class={d % 2 === 0 || decades.length < 8 ? '' : 'minor'}>{d === first ? `≤${power(d)}` : d === last ? `≥${power(d)}` : power(d)}</span>)}</div>
        </div>
    );
}

function Legend({ report, view, n_missing }) {
    const totals = Object.keys(glyphs).map((verdict) => [verdict, report.cells.filter((cell) => cell.verdict === verdict).length]);
    return (
        <div class="legend">
            {view.scale && <Scale view={view} />}
            <ul>
                {view.scale && <li><i class="swatch zero" />0</li>}
                {view.scale && <li><i class="swatch not-finite" /><Term name="not finite" /></li>}
                {view.scale && <li><i class="swatch corner" />divergent</li>}
                {!view.scale && totals.map(([verdict, n]) => <li key={verdict}><i class={`swatch verdict-${verdict.replace(' ', '-')}`}>{glyphs[verdict]}</i><span><Term name={verdict} />, {count(n, 'cell')}</span></li>)}
                {n_missing > 0 && <li><i class="swatch missing" /><span><Term name="missing" />, {count(n_missing, 'cell')}</span></li>}
                {report.first_divergence && <li><i class="swatch ring" />first divergence</li>}
            </ul>
        </div>
    );
}

// Rows are given as [label, layer]; a layer of null makes the row of the stages that run once.
function Grid({ caption, corner, stages, rows, cells, missing, view, state }) {
    const box = useRef(null);
    return (
        <table class="map" ref={box} onKeyDown={(event) => step(event, box.current)}>
            <caption class="unseen">{caption}</caption>
            <thead><tr><th scope="col">{corner}</th>{stages.map((stage) => <th key={stage.name} scope="col" title={stage.meaning}><span>{stage.name}</span></th>)}</tr></thead>
            <tbody>
                {rows.map(([label, layer]) => (
                    <tr key={label}>
                        <th scope="row">{label}</th>
                        {stages.map(({ name }) => {
                            const cell = cells.get(key(name, layer));
                            return cell ? <Cell key={name} cell={cell} view={view} state={state} /> : <Missing key={name} stage={name} layer={layer} missing={missing} />;
                        })}
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

export function HeatMap({ report, cells, selected, select }) {
    const [chosen, choose] = useState('local');
    const view = views[chosen];
    const missing = new Set(report.missing);
    const per_layer = report.stages.filter((stage) => stage.per_layer);
    const once = report.stages.filter((stage) => !stage.per_layer);
    const layers = Array.from({ length: report.model.n_layer }, (_, layer) => [String(layer), layer]);
    const n_missing = per_layer.length * layers.length + once.length - report.cells.length;
    const first = report.first_divergence && key(report.first_divergence.stage, report.first_divergence.layer);
    // The arrow keys enter the map at the selected cell; each of the two tables needs one such cell.
    const state = { selected, select, first };
    return (
        <section class="heat" aria-labelledby="map-title">
            <div class="title">
                <h2 id="map-title">Where the engines part</h2>
                <fieldset class="switch">
                    <legend class="unseen">What the map shows</legend>
                    {Object.keys(views).map((name) => (
                        <label key={name}><input type="radio" name="view" value={name} checked={chosen === name} onChange={() => choose(name)} /><span>{name}</span></label>
                    ))}
                </fieldset>
            </div>
            <p class="hint">{count(report.cells.length, 'cell')}. Shown: {view.words}. Choose a cell with a click or the arrow keys.</p>
            <Legend report={report} view={view} n_missing={n_missing} />
            {once.length > 0 && <Grid caption="Stages that run once" corner="" stages={once} rows={[['once', null]]} cells={cells} missing={missing} view={view} state={state} />}
            {per_layer.length > 0 && <Grid caption="Stages of each layer" corner="layer" stages={per_layer} rows={layers} cells={cells} missing={missing} view={view} state={state} />}
        </section>
    );
}
