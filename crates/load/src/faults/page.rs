//! One page for people: the faults, their outcome, and the times of both.

use super::campaign::Campaign;
use super::round::Outcome;
use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 50.0;
/// Posts are counted over so many seconds.
const STEP: f64 = 0.1;

/// The page, with a drawing of the first round that failed, or of the first.
pub fn page(campaign: &Campaign, outcomes: &[Outcome]) -> String {
    let counts = &campaign.verdict.counts;
    let verdict =
        if campaign.verdict.is_clean() { "every invariant held" } else { "an invariant was broken" };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Faults: {0}</title>\
         <style>body{{font:16px sans-serif;max-width:60rem;margin:2rem auto}}td{{padding:0 1rem 0 0}}</style>\
         <h1>{0}: {verdict}</h1><table>",
        campaign.name()
    );
    let [median, rare, most] = campaign.recovered_ms;
    let rows = [
        ("rounds, from seed", format!("{}, {}", campaign.rounds, campaign.seed)),
        ("faults, lines touched", format!("{}, {}", campaign.faults, campaign.touched)),
        ("posts begun, acknowledged, never known", {
            format!("{}, {}, {}", counts.invoked, counts.acknowledged, counts.unknown)
        }),
        ("events kept, frames shown", format!("{}, {}", counts.events, counts.frames)),
        ("lost, doubled, out of order, holes, foreign", {
            format!(
                "{}, {}, {}, {}, {}",
                counts.lost, counts.doubled, counts.misplaced, counts.holes, counts.foreign
            )
        }),
        ("all agreed, ms at most", campaign.agreed_ms.to_string()),
        ("posts after a crash, ms: median, 99 %, most", format!("{median}, {rare}, {most}")),
        ("memory of the server, MiB at most", (campaign.peak >> 20).to_string()),
    ];
    for (name, value) in rows {
        let _ = write!(page, "<tr><td>{name}<td>{value}");
    }
    page.push_str("</table>");
    let failed = outcomes.iter().find(|outcome| !outcome.verdict.is_clean());
    if let Some(outcome) = failed.or(outcomes.first()) {
        let _ = write!(page, "<h2>The round of seed {}</h2>{}", outcome.seed, timeline(outcome));
    }
    if !campaign.verdict.findings.is_empty() {
        page.push_str("<h2>Found</h2><ul>");
        for finding in &campaign.verdict.findings {
            let _ = write!(page, "<li>I-{}: {}", finding.invariant, escaped(&finding.what));
        }
        page.push_str("</ul>");
    }
    for again in &campaign.again {
        let _ = write!(page, "<pre>{}</pre>", escaped(again));
    }
    page.push_str("</html>\n");
    page
}

/// Acknowledged posts over time, with a line at each fault.
pub fn timeline(outcome: &Outcome) -> String {
    let end = outcome.seconds.max(STEP);
    let mut counts = vec![0_u32; (end / STEP) as usize + 1];
    for at in &outcome.acknowledged {
        if let Some(count) = counts.get_mut((at / STEP) as usize) {
            *count += 1;
        }
    }
    let most = f64::from(counts.iter().copied().max().unwrap_or_default().max(1));
    let x = |at: f64| MARGIN + at / end * (WIDTH - 2.0 * MARGIN);
    let y = |count: f64| HEIGHT - MARGIN - count / most * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12"><rect width="100%" height="100%" fill="#fff"/>"##
    );
    for mark in &outcome.marks {
        let _ = write!(
            svg,
            r##"<path d="M{0:.1} {MARGIN}V{1:.1}" stroke="#c2571a"><title>{2}</title></path>"##,
            x(mark.at),
            HEIGHT - MARGIN,
            escaped(&mark.what)
        );
    }
    let points = counts
        .iter()
        .enumerate()
        .map(|(step, count)| format!("{:.1},{:.1}", x(step as f64 * STEP), y(f64::from(*count))));
    let points: Vec<String> = points.collect();
    let _ = write!(
        svg,
        r##"<polyline fill="none" stroke="#2563a8" stroke-width="1.5" points="{}"/><text x="{MARGIN}" y="20">acknowledged posts in {STEP} s (up to {most}), and what was done</text><text x="{MARGIN}" y="{:.1}">0 s</text><text x="{:.1}" y="{:.1}">{end:.1} s</text></svg>"##,
        points.join(" "),
        HEIGHT - 20.0,
        WIDTH - 2.0 * MARGIN,
        HEIGHT - 20.0
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::injection::Mark;
    use crate::faults::verdict::Verdict;
    use std::collections::BTreeMap;

    #[test]
    fn a_timeline_has_a_curve_and_a_line_for_each_fault() {
        let mark = |at| Mark { at, what: "kill <9>".to_owned(), ends_life: true, is_outage: false };
        let svg = timeline(&Outcome {
            seed: 7,
            verdict: Verdict::default(),
            marks: vec![mark(0.2), mark(0.5)],
            agreed_ms: Some(1),
            silent_ms: vec![],
            recovered_ms: vec![],
            peak: 0,
            touched: 0,
            seconds: 1.0,
            spent: BTreeMap::new(),
            kept: None,
            acknowledged: vec![0.1, 0.3, 0.9],
        });
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<path").count()), (1, 2));
        assert!(svg.contains("kill &lt;9&gt;") && !svg.contains("NaN"));
    }
}
