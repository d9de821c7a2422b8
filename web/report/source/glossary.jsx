// The last part of the page: what the words mean, and what the comparison can prove.
import { terms } from '../../shared/terms.jsx';

export const Glossary = ({ report }) => (
    <section>
        <details class="glossary">
            <summary><h2>Words</h2></summary>
            <dl>{Object.entries(terms).map(([name, meaning]) => <div key={name}><dt>{name}</dt><dd>{meaning}</dd></div>)}</dl>
        </details>
        <details class="glossary">
            <summary><h2>What this proves</h2></summary>
            <p>A <a href="#map-title">bound ratio</a> above 1 is a proof: no order of rounding gives that number from those inputs. A ratio below 1 is no proof of being right: a fault smaller than rounding hides there.</p>
            <p>The oracle shares the forward pass with Kylin. So it sees wrong arithmetic, and it cannot see a wrong order of stages, a missing residual or a wrong tensor; comparing with {report.reference.engine}
                {' '}can, where that is an engine of its own. Two engines that agree can still both be wrong.</p>
            <p>Only the tokens above were compared. A stage that is missing in the reference's trace was not compared at all.</p>
        </details>
    </section>
);
