// The map: layers down, stages across in the order of the pass, one cell for each pair.
import { useState } from 'preact/hooks';
import { count, key, number, place, short } from '../../shared/format.js';
import { Grids, Scale, Views } from '../../shared/map.jsx';
import { Term } from '../../shared/terms.jsx';
import { bound_scale, error_scale } from './scales.js';
import { bound_ratios } from './sides.js';

const glyphs = { 'exact': '=', 'rounding': '≈', 'noise': '~', 'divergent': '×', 'not judged': '?' };

// What a view shows of a cell: its number (null: not finite, undefined: there is none), the scale, and the words for it.
const views = {
    'local': { value: (cell) => cell.local.worst_row, scale: error_scale, words: 'local relative error of the worst token' },
    'accumulated': { value: (cell) => cell.accumulated.worst_row, scale: error_scale, words: 'accumulated relative error of the worst token' },
    'bound ratio': { value: (cell) => bound_ratios(cell).larger, scale: bound_scale, words: 'largest observed error over its certified bound, of either engine' },
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

// What the map shows at a place.
function look_at(report, cells, view) {
    const first = report.first_divergence && key(report.first_divergence.stage, report.first_divergence.layer);
    const missing = new Set(report.missing);
    return (stage, layer) => {
        const name = key(stage, layer);
        const cell = cells.get(name);
        if (!cell) return { missing: `${place(stage, layer)}: ${missing.has(name) ? 'missing in the reference\'s trace' : 'not compared'}` };
        const shown = face(cell, view);
        const words = `${place(stage, layer)}: ${view.words} ${shown.said}${view.scale ? `; ${cell.verdict}` : ''}${name === first ? '; first divergence' : ''}`;
        return { ...shown, words, around: `${cell.verdict === 'divergent' ? 'divergent' : ''} ${name === first ? 'first' : ''}` };
    };
}

function Legend({ report, view, n_missing }) {
    const totals = Object.keys(glyphs).map((verdict) => [verdict, report.cells.filter((cell) => cell.verdict === verdict).length]);
    return (
        <div class="legend">
            {view.scale && <Scale scale={view.scale} />}
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

export function HeatMap({ report, cells, selected, select }) {
    const [chosen, choose] = useState('local');
    const view = views[chosen];
    const places = report.stages.reduce((n, stage) => n + (stage.per_layer ? report.model.n_layer : 1), 0);
    return (
        <section class="heat" aria-labelledby="map-title">
            <div class="title">
                <h2 id="map-title">Where the engines part</h2>
                <Views names={Object.keys(views)} chosen={chosen} choose={choose} />
            </div>
            <p class="hint">{count(report.cells.length, 'cell')}. Shown: {view.words}. Choose a cell with a click or the arrow keys.</p>
            <Legend report={report} view={view} n_missing={places - report.cells.length} />
            <Grids stages={report.stages} n_layer={report.model.n_layer} look={look_at(report, cells, view)} selected={selected} select={select} />
        </section>
    );
}
