// The largest activation of each stage and layer as a map, and the details of one cell.
import { useState } from 'preact/hooks';
import { ramp_dark, ramp_light, scale } from '../../shared/color.js';
import { count, number, place, short } from '../../shared/format.js';
import { Grids, Scale, Views } from '../../shared/map.jsx';
import { Term } from '../../shared/terms.jsx';

const f16_largest = 65504;
const little = 2;  // bits of headroom that a longer text may use up
const size_scale = scale(-2, 5, ramp_light, ramp_dark);

const headroom = (largest) => Math.log2(f16_largest / largest);
const is_bad = (cell) => cell.largest === null || cell.nan + cell.inf > 0;
const is_tight = (cell) => !is_bad(cell) && headroom(cell.largest) < little;
const bits = (cell) => (cell.largest === null ? 'none' : cell.largest === 0 ? 'unlimited' : `${number(headroom(cell.largest))} bits`);

const views = {
    'largest value': { text: (cell) => short(cell.largest), words: 'largest magnitude in the rows of this answer' },
    'F16 headroom': { text: (cell) => (cell.largest === 0 ? '∞' : String(Math.floor(headroom(cell.largest)))), words: 'how many times the value can double before F16 overflows, in bits' },
};

function look_at(cells, view) {
    return (stage, layer) => {
        const cell = cells.get(layer === null ? stage : `${stage}.${layer}`);
        if (!cell) return { missing: `${place(stage, layer)}: not watched` };
        const not_finite = is_bad(cell) ? `; ${cell.nan} NaN, ${cell.inf} infinite` : '';
        const words = `${place(stage, layer)}: largest ${number(cell.largest)}, F16 headroom ${bits(cell)}${not_finite}`;
        if (is_bad(cell)) return { class: 'not-finite', text: 'NaN', words };
        if (cell.largest === 0) return { class: 'zero', text: view.text(cell), words };
        return { class: '', style: size_scale.of(cell.largest), text: view.text(cell), words, around: is_tight(cell) ? 'divergent' : '' };
    };
}

function Summary({ cells }) {
    const all = [...cells.values()];
    const bad = all.filter(is_bad);
    const tight = all.filter(is_tight);
    if (bad.length > 0) return <p class="beyond">Not finite in {count(bad.length, 'place')}, first in {place(bad[0].stage, bad[0].layer)}.</p>;
    if (tight.length > 0) return <p class="beyond">Less than {little} bits of headroom in {count(tight.length, 'place')}.</p>;
    return <p class="well">All finite; at least {number(Math.min(...all.map((cell) => headroom(cell.largest))))} bits of headroom everywhere.</p>;
}

export function ActivationMap({ numerics, cells, selected, select }) {
    const [chosen, choose] = useState('largest value');
    return (
        <section class="heat" aria-labelledby="map-title">
            <div class="title"><h2 id="map-title">Activations</h2><Views names={Object.keys(views)} chosen={chosen} choose={choose} /></div>
            <Summary cells={cells} />
            <p class="hint">Numbers: {views[chosen].words}. Colours: the largest value. Choose a cell with a click or the arrow keys.</p>
            <div class="legend">
                <Scale scale={size_scale} />
                <ul>
                    <li><i class="swatch not-finite" /><Term name="not finite">NaN or infinite</Term></li>
                    <li><i class="swatch corner" />less than {little} bits of headroom</li>
                </ul>
            </div>
            <Grids stages={numerics.stages} n_layer={numerics.model.n_layer} look={look_at(cells, views[chosen])} selected={selected} select={select} />
        </section>
    );
}

export function Inspector({ stages, cell }) {
    const rows = [
        ['Holds', stages.find((stage) => stage.name === cell.stage).meaning],
        ['Largest value', number(cell.largest, 5)],
        [<Term name="headroom">F16 headroom</Term>, bits(cell)],
        ['NaN', count(cell.nan, 'value')],
        ['Infinite', count(cell.inf, 'value')],
    ];
    return (
        <section class="details" id="details" aria-live="polite">
            <h2><code>{place(cell.stage, cell.layer)}</code></h2>
            <dl class="panel-facts">{rows.map(([name, value], i) => <div key={i}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
            {is_bad(cell) && <p class="aside">A value that is not a number spreads to all that follows. Such an answer ends with an error, and the next one is not affected.</p>}
            {is_tight(cell) && <p class="aside">Kylin computes in F32, so this is no fault here. An engine that keeps activations in F16 may overflow at this place.</p>}
        </section>
    );
}
